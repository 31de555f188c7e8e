"""Watches what a review needs to know of a cluster: a list, then what changes, for each kind in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lightkube import Client
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.apps_v1 import ReplicaSet
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import LimitRange, Namespace, ResourceQuota

from models.owners import Owner
from recommender.adapters.kubernetes.client import KubernetesError, connect, prepare, translated
from recommender.admission.cluster_facts import ClusterFacts, RangeRule, Table
from recommender.admission.mode import MODE_KEY, Mode, mode_of

_PAGE = 500
_WATCH_S = 300
"""After this the API server ends a watch and it is asked for again: a connection that broke unseen lasts no longer."""
_RETRY_S, _RETRY_MAX_S = 1.0, 30.0
_NOT_SERVED_S = 300.0
_NOT_FOUND = 404
_VPA = create_namespaced_resource("autoscaling.k8s.io", "v1", "VerticalPodAutoscaler", "verticalpodautoscalers")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Watched:
    """One kind: where its objects go, and what is kept of each. optional: it may not be installed."""

    resource: Any
    table: Table[Any]
    value: Callable[[Any], Any]
    optional: bool = False


class ClusterWatch:
    """Keeps `facts` up to date. Threads are daemons: each of them waits in a read that nothing but its end interrupts."""

    def __init__(self, kubeconfig: str, facts: ClusterFacts) -> None:
        self._kubeconfig = kubeconfig
        self._watched = (
            _Watched(Namespace, facts.namespaces, _mode),
            _Watched(LimitRange, facts.limit_ranges, _range_rules),
            _Watched(ResourceQuota, facts.quotas, _counted),
            _Watched(ReplicaSet, facts.replica_sets, _controller),
            _Watched(Job, facts.jobs, _controller),
            _Watched(_VPA, facts.vpas, _vpa_target, optional=True),
        )

    def start(self, stop: threading.Event) -> None:
        prepare(*(watched.resource for watched in self._watched))
        for watched in self._watched:
            name = f"watch-{watched.resource.__name__}"
            threading.Thread(target=self._run, args=(watched, stop), name=name, daemon=True).start()

    def _run(self, watched: _Watched, stop: threading.Event) -> None:
        """Whatever goes wrong is tried again: what is known meanwhile is what was known before."""
        wait_s = _RETRY_S
        while not stop.is_set():
            try:
                with translated(f"watch {watched.resource.__name__}"):
                    self._follow(connect(self._kubeconfig), watched, stop)
                wait_s = _RETRY_S
            except KubernetesError as error:
                wait_s = self._failed(watched, error, wait_s)
            stop.wait(wait_s)

    def _failed(self, watched: _Watched, error: KubernetesError, wait_s: float) -> float:
        """How long to wait. A kind that is not installed has no objects."""
        if watched.optional and error.status == _NOT_FOUND:
            watched.table.replace(())
            return _NOT_SERVED_S
        _log.warning("%s; asking again in %.0f s", error, wait_s)
        return min(2 * wait_s, _RETRY_MAX_S)

    def _follow(self, client: Client, watched: _Watched, stop: threading.Event) -> None:
        try:
            listed = client.list(watched.resource, chunk_size=_PAGE, **_everywhere(watched.resource))
            watched.table.replace([(*_key(item), watched.value(item)) for item in listed])
            version = listed.resourceVersion
            changes = client.watch(
                watched.resource, server_timeout=_WATCH_S, resource_version=version, **_everywhere(watched.resource)
            )
            for change, item in changes:
                if stop.is_set():
                    return
                _take(watched, change, item)
        finally:
            client.close()


def _take(watched: _Watched, change: str, item: Any) -> None:
    if change == "DELETED":
        watched.table.drop(*_key(item))
    elif change in ("ADDED", "MODIFIED"):
        watched.table.put(*_key(item), watched.value(item))


def _everywhere(resource: Any) -> dict[str, Any]:
    return {} if resource is Namespace else {"namespace": "*"}


def _key(item: Any) -> tuple[str, str]:
    metadata = item.metadata
    return metadata.namespace or metadata.name, metadata.name


def _mode(item: Any) -> Mode | None:
    return mode_of((item.metadata.labels or {}).get(MODE_KEY))


def _range_rules(item: Any) -> tuple[RangeRule, ...]:
    rules = (item.spec.limits if item.spec else None) or ()
    return tuple(RangeRule(r.type, r.min or {}, r.max or {}, r.maxLimitRequestRatio or {}) for r in rules)


def _counted(item: Any) -> tuple[str, ...]:
    return tuple((item.spec.hard if item.spec else None) or ())


def _controller(item: Any) -> Owner | None:
    references: Iterable[Any] = item.metadata.ownerReferences or ()
    return next((Owner(r.kind, r.name) for r in references if r.controller), None)


def _vpa_target(item: Any) -> Owner | None:
    spec = item.get("spec") or {}
    target = spec.get("targetRef") or {}
    if (spec.get("updatePolicy") or {}).get("updateMode") == "Off" or not target.get("name"):
        return None
    return Owner(str(target.get("kind", "")), str(target["name"]))
