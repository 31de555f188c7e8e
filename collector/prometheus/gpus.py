"""Rows of GPUs from dcgm-exporter's series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collector.names.table import DCGM
from collector.names.who import GpuUse, gpu_use
from collector.prometheus.answer import Series
from collector.prometheus.facts import Facts
from collector.prometheus.groups import Columns, Timelines
from collector.prometheus.rows import RowMessages


class GpuRows:
    """Turns the answers of a span into rows."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._clamped = 0

    def add(
        self, answers: Mapping[str, Sequence[Series]], facts: Facts, timelines: Timelines, out: RowMessages
    ) -> None:
        for use, found in self._grouped(answers, facts).items():
            columns = Columns(found, DCGM, timelines)
            self._clamped += columns.clamped
            if columns.line is not None:
                out.add("gpu", use.keys, columns.line, columns.signals)

    def take_clamped(self) -> int:
        """Values that had to be clamped or left out as too high, since this was asked last."""
        clamped, self._clamped = self._clamped, 0
        return clamped

    def _grouped(self, answers: Mapping[str, Sequence[Series]], facts: Facts) -> dict[GpuUse, dict[str, list[Series]]]:
        """GPUs are few beside containers, so labels are read anew each time, and a pod's owner with them."""
        found: dict[GpuUse, dict[str, list[Series]]] = {}
        for metric, all_series in answers.items():
            for series in all_series:
                labels = series.labels()
                cluster = labels.get("cluster", "")
                use = gpu_use(
                    labels,
                    self._cluster or cluster or "prometheus",
                    lambda namespace, pod, node, cluster=cluster: facts.owners.get((cluster, namespace, pod)),  # type: ignore[misc]  # bound now, for this series
                )
                if use is not None:
                    found.setdefault(use, {}).setdefault(metric, []).append(series)
        return found
