"""Who owns a pod: by its controller, its labels or, where nothing else says it, its name. One rule for every source of
telemetry and for the admission webhook, so that a workload has one name.

Kubernetes makes these names (k8s.io/apimachinery util/rand, apiserver names/generate.go):
- random tails are 5 characters of `bcdfghjklmnpqrstvwxz2456789`;
- a ReplicaSet's hash is a decimal uint32 whose digits are mapped into the same alphabet, so it only holds
  `456789bcdf`, up to 10 of them;
- a CronJob names a Job after the minute it was due: 8 digits (10 before Kubernetes 1.21: the second);
- a StatefulSet counts its pods; an indexed Job counts them and adds a random tail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANDOM = r"[bcdfghjklmnpqrstvwxz2456789]{5}"
_HASH = r"[456789bcdf]{6,10}"
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("CronJob", re.compile(rf"^(?P<name>.+)-(?:\d{{8}}|\d{{10}})(?:-\d+)?-{_RANDOM}$")),
    ("Deployment", re.compile(rf"^(?P<name>.+)-{_HASH}-{_RANDOM}$")),
    # One of DaemonSet, Job or a bare ReplicaSet: the name alone does not tell, and a guess would name it wrongly.
    ("Pods", re.compile(rf"^(?P<name>.+?)(?:-\d+)?-{_RANDOM}$")),
    ("StatefulSet", re.compile(r"^(?P<name>.+)-\d+$")),
)
_CRON = re.compile(r"^(.+)-(?:\d{8}|\d{10})$")


@dataclass(frozen=True, slots=True)
class Owner:
    """Kind and name of what a pod belongs to. Kind `Pods`: something that makes pods with random tails."""

    kind: str
    name: str


def owner_of(pod: str, node: str = "") -> Owner:
    """The owner by the pod's name. `node` tells static pods, which carry their node's name as a tail."""
    if node and pod.endswith(f"-{node}") and len(pod) > len(node) + 1:
        return Owner("StaticPod", pod.removesuffix(f"-{node}"))
    for kind, rule in _RULES:
        if match := rule.match(pod):
            return Owner(kind, match["name"])
    return Owner("Pod", pod)


def owner_by_labels(pod: str, labels: dict[str, str]) -> Owner | None:
    """The owner by the labels that controllers put on pods; None when they do not say."""
    if template := labels.get("pod-template-hash"):
        name, found, _ = pod.rpartition(f"-{template}-")
        return Owner("Deployment", name) if found else None
    if "statefulset.kubernetes.io/pod-name" in labels:
        return Owner("StatefulSet", pod.rpartition("-")[0])
    if job := labels.get("batch.kubernetes.io/job-name", labels.get("job-name")):
        return owner_of_job(job)
    if "controller-revision-hash" in labels:
        return Owner("DaemonSet", pod.rpartition("-")[0])
    return None


def owner_by_controller(kind: str, name: str, pod: str) -> Owner:
    """The owner by the pod's controller, where nothing is known of that one's own owner."""
    if kind == "ReplicaSet":
        guess = owner_of(pod)
        return guess if guess.kind == "Deployment" else Owner(kind, name)
    if kind == "Job":
        return owner_of_job(name)
    if kind == "Node":  # a static pod carries its node's name as a tail
        return owner_of(pod, name)
    return Owner(kind, name) if kind and kind != "<none>" else Owner("Pod", pod)


def owner_of_job(job: str) -> Owner:
    """A CronJob names its Jobs after the time they were due."""
    match = _CRON.match(job)
    return Owner("CronJob", match[1]) if match else Owner("Job", job)
