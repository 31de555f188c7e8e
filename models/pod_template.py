"""Where Kubernetes objects have the pod that their pods are made from."""

from __future__ import annotations

from collections.abc import Mapping

POD_TEMPLATE_OF: Mapping[str, tuple[str, ...]] = {
    "Pod": (),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"), ("spec", "template")),
}
"""Kind to the keys that lead to the template, whose own `spec` has the containers; a Pod is its own template."""
