"""What kube-state-metrics says of the pods of a span: who owns them, what they may use, how they died."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from collector.names.foreign import Foreign
from collector.names.table import KUBE_STATE
from collector.names.who import first, pod_of
from collector.prometheus.answer import Series
from collector.prometheus.autoscalers import TargetKey
from collector.prometheus.groups import Meanings, Samples, merged
from models.owners import Owner, owner_by_controller

PodKey = tuple[str, str, str]
"""Cluster label, namespace, pod."""
ContainerKey = tuple[str, str, str, str]
"""Cluster label, namespace, pod, container."""

_JOB = ("exported_job", "job_name")
_REPLICA_SET = ("replicaset",)
_SIZES: dict[str, Sequence[Foreign]] = defaultdict(list)
for _foreign in KUBE_STATE:
    for _name in _foreign.names:
        _SIZES[_name] = [*_SIZES[_name], _foreign]


@dataclass(frozen=True, slots=True)
class Facts:
    """owners: of pods; sizes: requests and limits of containers by signal: one number, or samples that hold until the
    next;
    ooms: times in ms of OOM kills;
    known: whether kube-state-metrics tells of kills, so that no time means no kill;
    autoscaled: what autoscalers follow as a share of the request"""

    owners: Mapping[PodKey, Owner] = field(default_factory=dict)
    sizes: Mapping[ContainerKey, Mapping[str, Samples | float]] = field(default_factory=dict)
    ooms: Mapping[ContainerKey, Sequence[int]] = field(default_factory=dict)
    known: bool = False
    autoscaled: Mapping[TargetKey, Mapping[str, str]] = field(default_factory=dict)


class FactReader:
    """Reads answers about pods. Remembers what labels mean: they are the same from answer to answer."""

    def __init__(self) -> None:
        self._owned = Meanings(_owned)
        self._sized = {name: Meanings(_sized_by(name)) for name in _SIZES}
        self._parents = {"ReplicaSet": Meanings(_child_of(_REPLICA_SET)), "Job": Meanings(_child_of(_JOB))}

    def owners(self, answers: Mapping[str, Sequence[Series]]) -> dict[PodKey, Owner]:
        """Pods to the controllers that users know: past a ReplicaSet to its Deployment, past a Job to its CronJob."""
        over = {
            kind: dict(filter(None, map(self._parents[kind].of, answers.get(name, ()))))
            for kind, name in (("ReplicaSet", "kube_replicaset_owner"), ("Job", "kube_job_owner"))
        }
        found: dict[PodKey, Owner] = {}
        for series in answers.get("kube_pod_owner", ()):
            if owned := self._owned.of(series):
                pod, kind, name, guess = owned
                found[pod] = over.get(kind, {}).get((*pod[:2], name)) or guess
        return found

    def sizes(self, answers: Mapping[str, Sequence[Series]]) -> dict[ContainerKey, dict[str, Samples | float]]:
        """Requests and limits by signal."""
        found: dict[ContainerKey, dict[str, list[Series]]] = defaultdict(dict)
        for name, all_series in answers.items():
            for series in all_series:
                if sized := self._sized[name].of(series):
                    key, signal = sized
                    found[key].setdefault(signal, []).append(series)
        return {
            key: {signal: _settled(merged(series)) for signal, series in signals.items()}
            for key, signals in found.items()
        }


def _settled(samples: Samples) -> Samples | float:
    """The number that they all are; mostly nobody changes a size."""
    values = samples[1]
    return float(values[0]) if len(values) and (values == values[0]).all() else samples


def oom_times(reasons: Sequence[Series], restarts: Sequence[Series], after_ms: int) -> dict[ContainerKey, list[int]]:
    """When containers were OOM-killed after `after_ms`.

    The reason stays as long as nothing else ended the container, so each restart while it says OOMKilled is a kill;
    its first sample is one too where the container was there before without it, which its restart tells."""
    counts = {key: series for series in restarts if (key := container_key(series.labels()))}
    found: dict[ContainerKey, list[int]] = {}
    for series in reasons:
        key = container_key(series.labels())
        if key is None:
            continue
        killed = series.time_ms[series.value != 0].tolist()
        times = _restarted(counts[key]) if key in counts else _begun(series)
        kills = [time for time in times if time > after_ms and _near(time, killed)]
        if kills:
            found[key] = kills
    return found


def container_key(labels: Mapping[str, str]) -> ContainerKey | None:
    pod = pod_of(labels)
    return (labels.get("cluster", ""), pod.namespace, pod.pod, pod.container) if pod and pod.container else None


def _owned(labels: Mapping[str, str]) -> tuple[PodKey, str, str, Owner] | None:
    """A pod, kind and name of its controller, and the owner where nothing more is known of that one."""
    pod = pod_of(labels)
    if pod is None:
        return None
    kind, name = labels.get("owner_kind", ""), labels.get("owner_name", "")
    return (labels.get("cluster", ""), pod.namespace, pod.pod), kind, name, owner_by_controller(kind, name, pod.pod)


def _sized_by(name: str) -> Callable[[Mapping[str, str]], tuple[ContainerKey, str] | None]:
    def sized(labels: Mapping[str, str]) -> tuple[ContainerKey, str] | None:
        key = container_key(labels)
        foreign = next((foreign for foreign in _SIZES[name] if _meant(foreign, name, labels)), None)
        return (key, foreign.signal) if key and foreign else None

    return sized


def _child_of(
    child: tuple[str, ...],
) -> Callable[[Mapping[str, str]], tuple[tuple[str, str, str], Owner] | None]:
    """Cluster label, namespace and name of a ReplicaSet or Job, and who owns it; None: nobody."""

    def parent(labels: Mapping[str, str]) -> tuple[tuple[str, str, str], Owner] | None:
        kind, name = labels.get("owner_kind", ""), labels.get("owner_name", "")
        if not kind or kind == "<none>":
            return None
        namespace = first(labels, ("exported_namespace", "namespace"))
        return (labels.get("cluster", ""), namespace, first(labels, child)), Owner(kind, name)

    return parent


def _meant(foreign: Foreign, name: str, labels: Mapping[str, str]) -> bool:
    """The old names have the resource in the name, the new ones in a label."""
    return name != foreign.names[0] or labels.get("resource", "") in foreign.only["resource"][:1]


def _restarted(series: Series) -> list[int]:
    """Once per restart, at the sample that shows it."""
    growth = np.rint(np.maximum(np.diff(series.value), 0)).astype(np.int64)
    times: list[int] = np.repeat(series.time_ms[1:], growth).tolist()
    return times


def _begun(series: Series) -> list[int]:
    is_now = series.value != 0
    was = np.concatenate(([False], is_now[:-1]))
    times: list[int] = series.time_ms[is_now & ~was].tolist()
    return times


def _near(time_ms: int, killed_ms: Sequence[int]) -> bool:
    """Both metrics are of one scrape; a restart may be counted one scrape before its reason shows."""
    at = bisect_left(killed_ms, time_ms)
    return at < len(killed_ms) and killed_ms[at] - time_ms <= _NEAR_MS


_NEAR_MS = 120_000
