"""What kube-state-metrics says of the pods of a span: who owns them, what they may use, how they died."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from collector.host.owners import Owner, owner_of
from collector.names.foreign import Foreign
from collector.names.table import KUBE_STATE
from collector.names.who import first, pod_of
from collector.prometheus.answer import Series

PodKey = tuple[str, str, str]
"""Cluster label, namespace, pod."""
ContainerKey = tuple[str, str, str, str]
"""Cluster label, namespace, pod, container."""

_JOB = ("exported_job", "job_name")
_REPLICA_SET = ("replicaset",)
_CRON = re.compile(r"^(.+)-(?:\d{8}|\d{10})$")
_SIZES: dict[str, Sequence[Foreign]] = defaultdict(list)
for _foreign in KUBE_STATE:
    for _name in _foreign.names:
        _SIZES[_name] = [*_SIZES[_name], _foreign]


@dataclass(frozen=True, slots=True)
class Facts:
    """owners: of pods; sizes: signals of containers that are requests and limits; ooms: times in ms of OOM kills;
    known: whether kube-state-metrics tells of kills, so that no time means no kill"""

    owners: Mapping[PodKey, Owner] = field(default_factory=dict)
    sizes: Mapping[ContainerKey, Mapping[str, float]] = field(default_factory=dict)
    ooms: Mapping[ContainerKey, Sequence[int]] = field(default_factory=dict)
    known: bool = False


def pod_owners(answers: Mapping[str, Sequence[Series]]) -> dict[PodKey, Owner]:
    """Pods to the controllers that users know: past a ReplicaSet to its Deployment, past a Job to its CronJob."""
    over = {
        "ReplicaSet": _parents(answers.get("kube_replicaset_owner", ()), _REPLICA_SET),
        "Job": _parents(answers.get("kube_job_owner", ()), _JOB),
    }
    found: dict[PodKey, Owner] = {}
    for series in answers.get("kube_pod_owner", ()):
        labels = series.labels()
        pod = pod_of(labels)
        if pod is None:
            continue
        cluster, kind, name = labels.get("cluster", ""), labels.get("owner_kind", ""), labels.get("owner_name", "")
        parent = over.get(kind, {}).get((cluster, pod.namespace, name))
        found[cluster, pod.namespace, pod.pod] = parent or _owner(kind, name, pod.pod)
    return found


def container_sizes(answers: Mapping[str, Sequence[Series]]) -> dict[ContainerKey, dict[str, float]]:
    """Requests and limits by signal."""
    found: dict[ContainerKey, dict[str, float]] = defaultdict(dict)
    for name, all_series in answers.items():
        for series in all_series:
            labels = series.labels()
            key = container_key(labels)
            foreign = next((foreign for foreign in _SIZES.get(name, ()) if _meant(foreign, name, labels)), None)
            if key and foreign:
                found[key][foreign.signal] = series.number()
    return dict(found)


def oom_times(reasons: Sequence[Series], restarts: Sequence[Series], after_s: float) -> dict[ContainerKey, list[int]]:
    """When containers were OOM-killed after `after_s`.

    The reason stays as long as nothing else ended the container, so each restart while it says OOMKilled is a kill;
    its first sample is one too where the container was there before without it, which its restart tells."""
    counts = {key: series.points() for series in restarts if (key := container_key(series.labels()))}
    found: dict[ContainerKey, list[int]] = {}
    for series in reasons:
        key = container_key(series.labels())
        if key is None:
            continue
        killed = {time for time, value in zip(*series.points(), strict=True) if value}
        times = _restarted(*counts[key]) if key in counts else _begun(series)
        kills = [round(time * 1000) for time in times if time > after_s and _near(time, killed)]
        if kills:
            found[key] = kills
    return found


def container_key(labels: Mapping[str, str]) -> ContainerKey | None:
    pod = pod_of(labels)
    return (labels.get("cluster", ""), pod.namespace, pod.pod, pod.container) if pod and pod.container else None


def owner_lookup(facts: Facts, cluster_label: str) -> Callable[[str, str, str], Owner | None]:
    return lambda namespace, pod, node: facts.owners.get((cluster_label, namespace, pod))


def _parents(series: Iterable[Series], child: tuple[str, ...]) -> dict[tuple[str, str, str], Owner]:
    found = {}
    for one in series:
        labels = one.labels()
        kind, name = labels.get("owner_kind", ""), labels.get("owner_name", "")
        if kind and kind != "<none>":
            namespace = first(labels, ("exported_namespace", "namespace"))
            found[labels.get("cluster", ""), namespace, first(labels, child)] = Owner(kind, name)
    return found


def _owner(kind: str, name: str, pod: str) -> Owner:
    """An owner without a known parent."""
    if kind == "ReplicaSet":
        guess = owner_of(pod)
        return guess if guess.kind == "Deployment" else Owner(kind, name)
    if kind == "Job":
        cron = _CRON.match(name)
        return Owner("CronJob", cron[1]) if cron else Owner(kind, name)
    if kind == "Node":  # a static pod carries its node's name as a tail
        return owner_of(pod, name)
    return Owner(kind, name) if kind and kind != "<none>" else Owner("Pod", pod)


def _meant(foreign: Foreign, name: str, labels: Mapping[str, str]) -> bool:
    """The old names have the resource in the name, the new ones in a label."""
    return name != foreign.names[0] or labels.get("resource", "") in foreign.only["resource"][:1]


def _restarted(times: Sequence[float], values: Sequence[float]) -> list[float]:
    """Once per restart, at the sample that shows it."""
    pairs = zip(times[1:], values, values[1:], strict=False)
    return [time for time, before, now in pairs for _ in range(round(max(now - before, 0)))]


def _begun(series: Series) -> list[float]:
    times, values = series.points()
    before = (0.0, *values[:-1]) if values else ()
    return [time for time, was, now in zip(times, before, values, strict=True) if now and not was]


def _near(time: float, killed: set[float]) -> bool:
    """Both metrics are of one scrape; a restart may be counted one scrape before its reason shows."""
    return any(0 <= other - time <= _NEAR_S for other in killed)


_NEAR_S = 120.0
