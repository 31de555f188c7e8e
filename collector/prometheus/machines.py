"""Rows of machines whose workloads nobody tells apart, from node-exporter's series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from collector.names.table import NODE_EXPORTER
from collector.names.who import machine_of, machine_workload
from collector.prometheus.answer import Series
from collector.prometheus.groups import Columns, Timelines, of_one_job
from collector.prometheus.rows import RowMessages

Jobs = dict[str, list[tuple[str, Series]]]


class Machines:
    """Turns the answers of a span into rows."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster

    def add(
        self, answers: Mapping[str, Sequence[Series]], known: Set[str], timelines: Timelines, out: RowMessages
    ) -> None:
        """Add a row for each machine but the `known` ones (names and addresses), whose containers have rows."""
        for (cluster, names), found in _grouped(answers).items():
            if known.isdisjoint(names):
                columns = Columns(
                    {name: of_one_job(series) for name, series in found.items()}, NODE_EXPORTER, timelines
                )
                workload = str(machine_workload(self._cluster or cluster or "prometheus", names[0]))
                if columns.line is not None:
                    out.add("cpu", (workload, names[0]), columns.line, columns.signals)


def _grouped(answers: Mapping[str, Sequence[Series]]) -> dict[tuple[str, tuple[str, ...]], Jobs]:
    found: dict[tuple[str, tuple[str, ...]], Jobs] = {}
    for metric, all_series in answers.items():
        for series in all_series:
            labels = series.labels()
            names = (machine_of(labels), machine_of({"instance": labels.get("instance", "")}))
            if names[0]:
                jobs = found.setdefault((labels.get("cluster", ""), names), {})
                jobs.setdefault(metric, []).append((labels.get("job", ""), series))
    return found
