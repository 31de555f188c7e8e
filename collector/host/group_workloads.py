"""Workloads that are groups of plain processes: a command, or a systemd unit whose cgroup counts no CPU time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from collector.host.cgroup import Counters, DearCounters, Sample
from collector.host.cgroup_paths import CgroupPaths, path_in
from collector.host.commands import command_name, split_arguments
from collector.host.files import KeptFiles
from collector.host.found import Unit
from collector.host.groups import Group, ProcessGroups
from collector.host.naming import Named, Namer
from collector.host.process import TICKS_PER_S, Process
from collector.host.recognise import recognise
from collector.host.rows import NO_DEAR_RATES, DearRates, Rows, Sizes, dear_rates, row_values
from collector.settings import HostSettings
from collector.source import Moment
from models.events import EventKind, WorkloadEvent

OTHER = "command/other"
"""Short-lived commands and what is above the bound, together."""

_ENDED_AFTER_MS = 60_000
"""A command that comes back within this time has not ended: `make` calls a compiler many times a minute."""
_FORGET_AFTER_MS = 600_000
_NO_SIZES = Sizes()

Totals = tuple[int, int, int]
"""Of a group: clock ticks, bytes read, bytes written."""

_US_PER_TICK = 1_000_000 // TICKS_PER_S


@dataclass(slots=True)
class _Reported:
    """A group that has a workload of its own. `alive` once it has been announced as started."""

    named: Named
    workload: str
    alive: bool = True


@dataclass(slots=True)
class _Ledger:
    """What was already put into rows of a group, as (ticks, bytes read, bytes written)."""

    seen_ms: int
    member_ms: int
    before: Totals = (0, 0, 0)
    before_ms: int = 0
    reported: _Reported | None = None


class GroupWorkloads:
    """All plain processes of one node as a bounded number of workloads."""

    def __init__(
        self, namer: Namer, files: KeptFiles, settings: HostSettings, covered: Callable[[str], bool], paths: CgroupPaths
    ) -> None:
        """`covered` says whether a cgroup path, which `paths` finds, is a workload of its own."""
        self._namer, self._settings, self._covered, self._paths = namer, settings, covered, paths
        self._groups = ProcessGroups(settings.proc, files, self._place)
        self._ledgers: dict[str, _Ledger] = {}
        self._known: frozenset[str] = frozenset()
        self._first = True
        self._node = ""

    def read(self, now: Moment, node: str, rows: Rows) -> list[WorkloadEvent]:
        """Add a row for every group that was read before; returns which started and ended."""
        self._node = node
        self._groups.read(now.steady_ms / 1000)
        for name in list(self._groups.groups):
            self._open(name, now)
        events = list(self._promote(now))
        self._fold(now)
        for name, ledger in self._ledgers.items():
            if ledger.reported is not None:
                events += self._report(self._groups.groups[name], ledger, ledger.reported, now, rows)
        self._forget(now)
        self._first = False
        return events

    def holder(self, pid: int) -> tuple[str, str] | None:
        """Workload and instance that count a process now; None when it is not counted here."""
        group = self._groups.group_of(pid)
        if not group:
            return None
        ledger = self._ledgers.get(group)
        reported = (ledger and ledger.reported) or self._named(OTHER)
        return reported.workload, reported.named.instance

    def reported(self) -> list[str]:
        """Groups that have a workload of their own."""
        return [name for name, ledger in self._ledgers.items() if ledger.reported is not None and name != OTHER]

    def baselines(self) -> dict[int, tuple[int, int, int]]:
        return self._groups.baselines()

    def remember(self, baselines: Mapping[int, tuple[int, int, int]], reported: frozenset[str], steady_ms: int) -> None:
        """Go on from an earlier collector, whose newest read was at `steady_ms`."""
        self._groups.remember(baselines, steady_ms / 1000)
        self._known = reported
        for name in (*reported, OTHER):
            self._ledgers[name] = _Ledger(steady_ms, steady_ms, before_ms=steady_ms, reported=self._named(name))
            self._groups.groups[name] = Group()

    def close(self) -> None:
        self._groups.close()

    def _place(self, process: Process) -> str:
        """The group of a process; "" when a cgroup counts it. v1 names units in a hierarchy of its own."""
        lines = (process.file("cgroup") or b"").split(b"\n")
        path = self._paths.of(lines)
        if path and self._covered(path):
            return ""
        unit = recognise(path_in(lines, b":name=systemd:") or path)
        if isinstance(unit, Unit):
            return f"{'user-unit' if unit.user else 'unit'}/{unit.name}"
        return f"command/{command_name(split_arguments(process.file('cmdline') or b''), process.stat.comm)}"

    def _open(self, name: str, now: Moment) -> None:
        ledger = self._ledgers.get(name)
        if ledger is None:
            ledger = self._ledgers[name] = _Ledger(now.steady_ms, now.steady_ms, before_ms=now.steady_ms)
        if self._groups.groups[name].members:
            ledger.member_ms = now.steady_ms

    def _promote(self, now: Moment) -> Iterator[WorkloadEvent]:
        """Give a workload to each group that has lasted or worked enough, while there is room. What ran before the
        collector has lasted from its start, and started long ago: else the first rows of `other` would hold the whole
        machine, and its peak would be remembered for a month."""
        free = self._settings.max_process_groups - len(self.reported())
        for name, ledger in self._ledgers.items():
            if free <= 0 or ledger.reported is not None:
                continue
            group = self._groups.groups[name]
            since_ms = group.oldest_start * 1000 // TICKS_PER_S if self._first else ledger.seen_ms
            old = group.members and now.steady_ms - since_ms >= self._settings.group_min_age_s * 1000
            if old or group.ticks >= self._settings.group_min_cpu_s * TICKS_PER_S:
                free -= 1
                ledger.reported = self._named(name)
                if self._known or not self._first:  # with a collector before this one, it started in between
                    yield self._event("started", ledger.reported, now)

    def _fold(self, now: Moment) -> None:
        """Count groups without a workload of their own in `other`."""
        small = [(name, ledger) for name, ledger in self._ledgers.items() if ledger.reported is None and name != OTHER]
        other = self._groups.groups.setdefault(OTHER, Group())
        self._open(OTHER, now)
        self._ledgers[OTHER].reported = self._ledgers[OTHER].reported or self._named(OTHER)
        for name, ledger in small:
            group = self._groups.groups[name]
            totals = (group.ticks, group.disk_read, group.disk_written)
            grown = [a - b for a, b in zip(totals, ledger.before, strict=True)]
            other.ticks, other.disk_read = other.ticks + grown[0], other.disk_read + grown[1]
            other.disk_written, other.disk_seen = other.disk_written + grown[2], other.disk_seen or group.disk_seen
            other.anon, other.members = other.anon + group.anon, other.members + group.members
            other.shared = max(other.shared, group.shared)
            ledger.before, ledger.before_ms = totals, now.steady_ms

    def _report(
        self, group: Group, ledger: _Ledger, reported: _Reported, now: Moment, rows: Rows
    ) -> Iterator[WorkloadEvent]:
        totals = (group.ticks, group.disk_read, group.disk_written)
        span_ms = now.steady_ms - ledger.before_ms
        if span_ms > 0 and (group.members or totals != ledger.before):
            before, sample = Counters(ledger.before[0] * _US_PER_TICK), _sample(totals[0], group)
            values = row_values(before, sample, span_ms, _NO_SIZES, _disk_rates(ledger.before, totals, group, span_ms))
            rows.add(reported.workload, reported.named.instance, span_ms, values)
        ledger.before, ledger.before_ms = totals, now.steady_ms
        if group.members and not reported.alive:
            reported.alive = True
            yield self._event("started", reported, now)
        elif reported.alive and now.steady_ms - ledger.member_ms >= _ENDED_AFTER_MS:
            reported.alive = False
            yield self._event("ended", reported, now)

    def _forget(self, now: Moment) -> None:
        gone = [
            name
            for name, ledger in self._ledgers.items()
            if now.steady_ms - ledger.member_ms >= (_FORGET_AFTER_MS if ledger.reported else _ENDED_AFTER_MS)
            and name != OTHER
        ]
        for name in gone:
            del self._ledgers[name]
        self._groups.forget(gone)

    def _named(self, name: str) -> _Reported:
        named = self._namer.group(name)
        return _Reported(named, str(named.name))

    def _event(self, kind: EventKind, reported: _Reported, now: Moment) -> WorkloadEvent:
        return WorkloadEvent(kind, reported.workload, reported.named.instance, self._node, now.wall_ms)


def _sample(ticks: int, group: Group) -> Sample:
    """Working set: anonymous memory of all members and the largest shared part of one. Members of a group mostly share
    the same files, so adding them up would count a library once per worker."""
    held = (group.anon + group.shared, group.anon) if group.members else (None, None)
    return Sample(Counters(ticks * _US_PER_TICK), *held)


def _disk_rates(before: Totals, now: Totals, group: Group, span_ms: int) -> DearRates:
    if not group.disk_seen:
        return NO_DEAR_RATES
    was, grown = (DearCounters(disk_read=t[1], disk_written=t[2]) for t in (before, now))
    return dear_rates(was, grown, span_ms)
