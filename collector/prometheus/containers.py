"""Rows of containers from cAdvisor's series."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collector.names.foreign import Foreign
from collector.names.table import CADVISOR
from collector.names.who import PodContainer, machine_of, pod_of
from collector.prometheus.answer import Series
from collector.prometheus.autoscalers import AutoscalerEvents
from collector.prometheus.facts import ContainerKey, Facts, PodKey
from collector.prometheus.groups import MOST_MEANINGS, Columns, Meanings, Samples, Timelines, of_one_job, told
from collector.prometheus.rows import RowMessages
from collector.prometheus.timeline import Column, Timeline
from models.events import WorkloadEvent
from models.owners import Owner

_OF_PODS = {name for foreign in CADVISOR if foreign.of == "pod" for name in foreign.names}
_OF_CONTAINERS = ("container_cpu_usage_seconds_total", "container_memory_working_set_bytes")
_SANDBOX = ("", "POD")

Jobs = dict[str, list[tuple[str, Series]]]
"""Series with their scrape job, by metric."""


@dataclass(frozen=True, slots=True)
class _Labels:
    cluster: str
    job: str
    pod: PodContainer | None
    machines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a container in a span: from a start of it to its end, or to the span's."""

    pod: PodContainer
    line: Timeline
    signals: Mapping[str, Column]


class ContainerRows:
    """Turns the answers of a span into rows. Remembers what labels mean, and no sample."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._labels = Meanings(_labels)
        self._ids: dict[ContainerKey, tuple[Owner | None, str]] = {}
        self.machines: set[str] = set()
        """Names and addresses of the machines whose containers were seen."""
        self._clamped = 0
        self._autoscalers = AutoscalerEvents()

    def add(
        self, answers: Mapping[str, Sequence[Series]], facts: Facts, timelines: Timelines, out: RowMessages
    ) -> list[WorkloadEvent]:
        """Add the rows of every container; returns what happened to them."""
        containers, pods = self._grouped(answers)
        table = told(CADVISOR, answers)
        events: list[WorkloadEvent] = []
        for key, by_id in containers.items():
            runs = [
                run
                for pod, found in _instances(by_id)
                if (run := self._run(pod, {**found, **pods.get(key[:3], {})}, table, timelines)) is not None
            ]
            events += self._add_runs(key, sorted(runs, key=lambda run: int(run.line.time_ms[0])), facts, out)
        return events

    def pods(self, answers: Mapping[str, Sequence[Series]]) -> set[PodKey]:
        """The pods whose containers a span tells of."""
        found = set()
        for all_series in (answers[name] for name in _OF_CONTAINERS if name in answers):
            for series in all_series:
                labels = self._labels.of(series)
                if labels.pod is not None and labels.pod.container not in _SANDBOX:
                    found.add((labels.cluster, labels.pod.namespace, labels.pod.pod))
        return found

    def take_clamped(self) -> int:
        """Values that had to be clamped or left out as too high, since this was asked last."""
        clamped, self._clamped = self._clamped, 0
        return clamped

    def _grouped(
        self, answers: Mapping[str, Sequence[Series]]
    ) -> tuple[dict[ContainerKey, dict[PodContainer, Jobs]], dict[tuple[str, str, str], Jobs]]:
        containers: dict[ContainerKey, dict[PodContainer, Jobs]] = defaultdict(dict)
        pods: dict[tuple[str, str, str], Jobs] = defaultdict(dict)
        for metric, all_series in answers.items():
            for series in all_series:
                labels = self._labels.of(series)
                pod = labels.pod
                if pod is None:
                    continue
                self.machines.update(labels.machines)
                key = labels.cluster, pod.namespace, pod.pod
                if metric in _OF_PODS:
                    pods[key].setdefault(metric, []).append((labels.job, series))
                elif pod.container not in _SANDBOX:
                    instances = containers[(*key, pod.container)]
                    instances.setdefault(pod, {}).setdefault(metric, []).append((labels.job, series))
        return containers, pods

    def _run(self, pod: PodContainer, found: Jobs, table: Sequence[Foreign], timelines: Timelines) -> _Run | None:
        """None: nothing of it falls into the span."""
        columns = Columns({name: of_one_job(jobs) for name, jobs in found.items()}, table, timelines)
        self._clamped += columns.clamped
        return None if columns.line is None else _Run(pod, columns.line, columns.signals)

    def _add_runs(
        self, key: ContainerKey, runs: Sequence[_Run], facts: Facts, out: RowMessages
    ) -> Iterator[WorkloadEvent]:
        """Add the rows of one container's runs, in order of their time."""
        kills = _killed(facts.ooms.get(key, ()), runs)
        for number, run in enumerate(runs):
            owner = facts.owners.get(key[:3])
            workload = self._id(key, run.pod, owner)
            sizes = {name: _held(samples, run.line) for name, samples in facts.sizes.get(key, {}).items()}
            ooms = {"oom_kills": _counted(kills[number], run.line)} if facts.known else {}
            signals = {**run.signals, **sizes, **ooms}
            out.add("cpu", (workload, run.pod.instance), run.line, signals)
            followed = facts.autoscaled.get((*key[:2], owner), {}) if owner else {}
            yield from self._autoscalers.of(followed, workload, int(run.line.time_ms[-1]))
            for time_ms in kills[number]:
                yield WorkloadEvent("oom-killed", workload, run.pod.instance, run.pod.node, time_ms)

    def _id(self, key: ContainerKey, pod: PodContainer, owner: Owner | None) -> str:
        """Quoting five parts costs as much as a column of an hour, so it is done once per container and owner."""
        known = self._ids.get(key)
        if known is None or known[0] != owner:
            if len(self._ids) >= MOST_MEANINGS:
                self._ids.clear()
            known = owner, str(pod.workload(self._cluster or key[0] or "prometheus", owner))
            self._ids[key] = known
        return known[1]


def _labels(labels: Mapping[str, str]) -> _Labels:
    pod = pod_of(labels)
    machines = (machine_of(labels), machine_of({"instance": labels.get("instance", "")}))
    return _Labels(labels.get("cluster", ""), labels.get("job", ""), pod, tuple(filter(None, machines)))


def _instances(by_id: Mapping[PodContainer, Jobs]) -> Iterator[tuple[PodContainer, Jobs]]:
    """The runs of one container, one after another in a pod. Series without ids (the kubelet's /metrics/resource) tell
    the same once more and count only where no others are."""
    named = {pod: found for pod, found in by_id.items() if pod.container_id} or by_id
    for pod, found in named.items():
        yield pod, dict(found)


def _killed(kills: Sequence[int], runs: Sequence[_Run]) -> list[list[int]]:
    """The kills of each run. kube-state-metrics tells of a kill some time after it, when the next run may have begun:
    each kill is one run's, the newest that had begun by then, and the first one's where none had."""
    found: list[list[int]] = [[] for _ in runs]
    begun = [int(run.line.time_ms[0] - run.line.interval_ms[0]) for run in runs]
    if runs:
        for time_ms in kills:
            found[max(bisect_left(begun, time_ms) - 1, 0)].append(time_ms)
    return found


def _counted(kills: Sequence[int], line: Timeline) -> Column | float:
    """Kills in the row in which they fell; the last row takes those that were seen after it, as nothing of a killed
    container is scraped any more."""
    if not kills:
        return 0.0
    column = np.zeros(len(line))
    np.add.at(column, np.minimum(np.searchsorted(line.time_ms, kills), len(line) - 1), 1.0)
    return column


def _held(samples: Samples | float, line: Timeline) -> Column | float:
    """The newest sample at the time of each row; the first one in rows before it."""
    if isinstance(samples, float):
        return samples
    times, values = samples
    return values[np.maximum(np.searchsorted(times, line.time_ms, side="right") - 1, 0)]
