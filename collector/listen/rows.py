"""Samples of series into rows of entities, all entities at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from collector.listen.columns import filled, listed, signals_of
from collector.listen.deaths import Deaths
from collector.listen.entities import DEATH_RESTARTS, Entity
from collector.listen.entity_table import CLASSES
from collector.listen.layout import LAYOUTS, SIZES, Form
from collector.listen.naming import Naming
from collector.listen.rates import Floats, differentiated
from collector.listen.refusal import Fate
from collector.listen.said import Said
from collector.listen.series import SeriesIndex
from collector.listen.timeline import Timeline, timeline
from collector.listen.wire import Samples
from models.events import WorkloadEvent
from models.signals import RowKind
from models.telemetry import KEY_COLUMNS, TelemetryBatch

_CONTAINER, _MACHINE, _GPU, _POD, _SIZE, _OWNER, _DEATH = range(len(CLASSES))
_ROW_CLASSES: dict[RowKind, tuple[int, ...]] = {"cpu": (_CONTAINER, _MACHINE), "gpu": (_GPU,)}
_TIME_BITS = 42


@dataclass(frozen=True, slots=True)
class Made:
    """Rows; OOM kills; samples left out because they came twice or too late; values that had to be clamped or were
    impossible."""

    batches: Sequence[TelemetryBatch]
    events: Sequence[WorkloadEvent]
    fates: Mapping[Fate, int]
    clamped: int


class Rows:
    """Makes rows. What comes after the newest row of its entity is kept for the next one."""

    def __init__(self, index: SeriesIndex, naming: Naming, max_gap_s: float) -> None:
        self._index, self._naming, self._max_gap_s = index, naming, max_gap_s
        self._kept = Said.nothing()
        self._deaths = Deaths()

    def make(self, samples: Samples) -> Made:
        """The rows that these samples complete. The caller holds the lock of the index."""
        with np.errstate(over="ignore", invalid="ignore"):  # 1e308 - -1e308 is no measurement and out of every range
            return self._make(samples)

    def _make(self, samples: Samples) -> Made:
        samples, fates = self._fresh(samples)
        said = self._said(samples)
        entities = self._index.entities
        cls = entities.cls[said.entity]
        sizes = said.take(cls == _SIZE)
        entities.sizes[sizes.entity, sizes.slot] = sizes.value
        deaths = said.take(cls == _DEATH)
        of_pods = self._of_containers(said.take(cls == _POD))
        said = Said.joined([self._kept, said.take(cls < _POD), of_pods])
        self._naming.refresh()
        events = self._kills(deaths)
        batches, later, clamped = [], [], 0
        for kind, classes in _ROW_CLASSES.items():
            batch, rest, over = self._of_kind(kind, said.take(np.isin(entities.cls[said.entity], classes)))
            batches.append(batch)
            later.append(rest)
            clamped += over
        self._keep(Said.joined(later))
        return Made([batch for batch in batches if len(batch)], events, fates, clamped)

    def _kills(self, said: Said) -> list[WorkloadEvent]:
        events = []
        for kill in self._deaths.take(said):
            entity = self._index.entities[kill.entity]
            self._deaths.wait_for_row(entity.container_key, kill)
            workload, instance = self._naming.keys(kill.entity)
            node = entity.pod.node if entity.pod else ""
            events.append(WorkloadEvent("oom-killed", workload, instance, node, kill.time_ms))
        return events

    def _fresh(self, samples: Samples) -> tuple[Samples, dict[Fate, int]]:
        """Sorted by series and time, without what came before."""
        key = (samples.series.astype(np.int64) << _TIME_BITS) | samples.time_ms
        order = np.argsort(key, kind="stable")
        before = self._index.standing.time_ms[samples.series[order]]
        time_ms = samples.time_ms[order]
        twice = (np.diff(key[order], prepend=-1) == 0) | (time_ms == before)
        late = time_ms < before
        order = order[~(twice | late)]
        fates = {Fate.DUPLICATE: int(twice.sum()), Fate.LATE: int(late.sum())}
        return Samples(samples.series[order], samples.time_ms[order], samples.value[order]), fates

    def _said(self, samples: Samples) -> Said:
        standing = self._index.standing
        entity, slot = standing.entity[samples.series], standing.slot[samples.series]
        form = _FORMS[self._index.entities.cls[entity], slot]
        value = differentiated(samples, form, standing, self._max_gap_s)
        direct = np.ones(len(entity), np.bool_)
        return Said(samples.series, entity, slot, samples.time_ms, value, direct, ~np.isnan(samples.value))

    def _of_containers(self, said: Said) -> Said:
        """What was said of pods, once for each of their containers."""
        if not len(said):
            return said
        children = defaultdict(list)
        for number, entity in self._index.entities.of_class("container"):
            children[entity.pod_key].append(number)
        pods = {pod: children[self._index.entities[pod].pod_key] for pod in set(said.entity.tolist())}
        counts = np.array([len(pods[pod]) for pod in said.entity.tolist()])
        out = said.take(np.repeat(np.arange(len(said)), counts))
        numbers = [number for pod in said.entity.tolist() for number in pods[pod]]
        return replace(out, entity=np.array(numbers, np.int32), direct=np.zeros(len(out), np.bool_))

    def _of_kind(self, kind: RowKind, said: Said) -> tuple[TelemetryBatch, Said, int]:
        """The rows of one kind, what is later than all of them, and how many values had to be clamped."""
        entities, layout = self._index.entities, LAYOUTS[kind]
        lead = said.take(said.direct)
        line = timeline(lead.entity, lead.slot, lead.time_ms, lead.alive, entities.newest_ms, self._max_gap_s)
        row = line.row_of(said.entity, said.time_ms)
        inside = row < len(line)
        matrix = filled(layout, len(line), row[inside], said.take(inside))
        good = (line.interval_ms > 0) & self._wanted(line)
        signals, clamped = signals_of(layout, matrix[good])
        batch = self._batch(kind, Timeline(line.entity[good], line.time_ms[good], line.interval_ms[good]), signals)
        return batch, said.take(~inside), clamped

    def _batch(self, kind: RowKind, line: Timeline, signals: dict[str, Floats]) -> TelemetryBatch:
        numbers, of = np.unique(line.entity, return_inverse=True)
        if kind == "cpu" and len(numbers):
            sizes = np.stack([self._sizes(number) for number in numbers.tolist()])[of]
            signals |= {name: sizes[:, i] for i, name in enumerate(SIZES)}
            signals["oom_kills"] = self._oom_kills(numbers.tolist(), of, line)
        names = [self._naming.keys(number) for number in numbers.tolist()]
        keys = {column: [names[i][place] for i in of.tolist()] for place, column in enumerate(KEY_COLUMNS[kind])}
        columns = {name: listed(values) for name, values in signals.items() if not np.isnan(values).all()}
        return TelemetryBatch(kind, keys, line.time_ms.tolist(), line.interval_ms.tolist(), columns)

    def _sizes(self, number: int) -> Floats:
        """Requests and limits of a container, [4]."""
        entity = self._index.entities[number]
        size = (
            self._index.entities.find(Entity("size", entity.cluster, entity.container_key[1:])) if entity.pod else None
        )
        return _NO_SIZES if size is None else self._index.entities.sizes[size]

    def _oom_kills(self, numbers: list[int], of: NDArray[np.int64], line: Timeline) -> Floats:
        """Kills in each row; NaN where kube-state-metrics does not tell of the container."""
        entities = [self._index.entities[number] for number in numbers]
        deaths = (Entity("death", entity.cluster, entity.container_key[1:]) for entity in entities)
        known = np.array([self._index.entities.find(death) is not None for death in deaths])
        keys = [entities[i].container_key for i in of.tolist()]
        return np.where(known[of], np.array(self._deaths.counted(keys, line.time_ms.tolist()), np.float64), np.nan)

    def _wanted(self, line: Timeline) -> NDArray[np.bool_]:
        """Rows that no finer row stands for: of machines whose containers are not known, and of containers without an
        id (kubelet's /metrics/resource) that no series with an id tells of."""
        containers = [entity for _, entity in self._index.entities.of_class("container")]
        told = {entity.container_key for entity in containers if entity.pod and entity.pod.container_id}
        machines = {machine for entity in containers for machine in entity.machines}
        doubles = [
            number
            for number in np.unique(line.entity).tolist()
            if _is_double(self._index.entities[number], told, machines)
        ]
        return ~np.isin(line.entity, doubles)

    def _keep(self, later: Said) -> None:
        newest = later.time_ms.max(initial=0)
        self._kept = later.take(later.time_ms > newest - round(self._max_gap_s * 1000))


def _is_double(entity: Entity, told: Set[tuple[str, ...]], machines: Set[str]) -> bool:
    if entity.cls == "machine":
        return not machines.isdisjoint(entity.who)
    return bool(
        entity.cls == "container" and entity.pod and not entity.pod.container_id and entity.container_key in told
    )


def _forms() -> NDArray[np.int8]:
    """Form by place of class and slot; sizes and owners are levels."""
    out = np.full((len(CLASSES), max(len(layout.slots) for layout in LAYOUTS.values())), Form.LEVEL, np.int8)
    for place, cls in enumerate(CLASSES):
        layout = LAYOUTS["gpu" if cls == "gpu" else "cpu"]
        if place <= _POD:
            out[place, : len(layout.slots)] = layout.forms
    out[_DEATH, DEATH_RESTARTS] = Form.GROWTH
    return out


_FORMS = _forms()
_NO_SIZES = np.full(len(SIZES), np.nan)
