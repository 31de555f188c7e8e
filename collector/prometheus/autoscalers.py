"""HorizontalPodAutoscalers that hold CPU or memory as a share of its request, as kube-state-metrics tells of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from collector.names.who import first
from collector.prometheus.answer import Series
from collector.prometheus.groups import MOST_MEANINGS
from collector.prometheus.queries import AUTOSCALERS
from models.events import WorkloadEvent
from models.owners import Owner

TargetKey = tuple[str, str, Owner]
"""Cluster label, namespace, what is scaled."""
_DAY_MS = 86_400_000


def autoscaled(answers: Mapping[str, Sequence[Series]]) -> dict[TargetKey, dict[str, str]]:
    """By what is scaled: the metrics that are held as a share of the request, and by which autoscaler. A target of an
    absolute average says nothing of the request."""
    info, metrics = ([series.labels() for series in answers.get(name, ())] for name in AUTOSCALERS)
    scaled = {
        _autoscaler(labels): Owner(labels.get("scaletargetref_kind", ""), labels.get("scaletargetref_name", ""))
        for labels in info
    }
    found: dict[TargetKey, dict[str, str]] = defaultdict(dict)
    for labels in metrics:
        key = _autoscaler(labels)
        if labels.get("metric_target_type") == "utilization" and key in scaled:
            found[*key[:2], scaled[key]][labels.get("metric_name", "")] = key[2]
    return dict(found)


class AutoscalerEvents:
    """Tells of each workload and metric once a UTC day, however many pods there are."""

    def __init__(self) -> None:
        self._told_of: dict[tuple[str, str], int] = {}

    def of(self, followed: Mapping[str, str], workload: str, time_ms: int) -> Iterator[WorkloadEvent]:
        """followed: metric to autoscaler; time_ms: when the workload was seen."""
        day = time_ms // _DAY_MS
        for metric, autoscaler in followed.items():
            if self._told_of.get((workload, metric)) == day:
                continue
            if len(self._told_of) >= MOST_MEANINGS:
                self._told_of.clear()
            self._told_of[workload, metric] = day
            details = {"metric": metric, "autoscaler": autoscaler}
            yield WorkloadEvent("autoscaler-seen", workload, "", "", time_ms, details)


def _autoscaler(labels: Mapping[str, str]) -> tuple[str, str, str]:
    namespace = first(labels, ("exported_namespace", "namespace"))
    return labels.get("cluster", ""), namespace, labels.get("horizontalpodautoscaler", "")
