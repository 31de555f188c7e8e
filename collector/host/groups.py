"""Groups of plain processes: counters that never go backwards, whatever processes come and go.

A group's CPU time is what its living processes have used, plus what its dead ones had. Two things fill the gaps:
- a process first seen after the collector started, and started since the read before, counts from zero;
- when a parent waits for a child, the kernel adds the child's whole life to the parent's `cutime` and `cstime`. What was
  not yet counted of it (its last moments, or all of a child that lived between two reads) is thereby counted: in the
  group of the child that was known, else in the parent's.
What cannot be known: the last moments, up to one interval, of a process whose parent never waits for it (it ignores
SIGCHLD) or lies outside the groups; and disk bytes of a process that lived between two reads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from collector.host.files import KeptFiles
from collector.host.process import TICKS_PER_S, Process

_CHECK_EVERY = 30
"""Reads between two looks at whether a process still belongs where it was put."""
_REST_EVERY = 10
"""Reads between two looks at the memory and disk of a process that does not run."""


@dataclass(slots=True)
class Group:
    """Running totals of one group: ticks of CPU, bytes of disk; members, their memory and when the oldest of them
    started (ticks since boot) of the newest read."""

    ticks: int = 0
    disk_read: int = 0
    disk_written: int = 0
    disk_seen: bool = False
    anon: int = 0
    shared: int = 0
    members: int = 0
    oldest_start: int = 0


@dataclass(slots=True)
class _Lost:
    """Ticks of dead children that a parent's `reaped` will show, of which `known` were counted while they lived."""

    known: int = 0
    group: str = ""
    age: int = 0


@dataclass(slots=True)
class ProcessGroups:
    """Every process of the host that `place` gives a group. `place` returns "" for one that is counted elsewhere."""

    proc: str
    files: KeptFiles
    place: Callable[[Process], str]
    groups: dict[str, Group] = field(default_factory=dict)
    _processes: dict[int, Process] = field(default_factory=dict)
    _outside: dict[int, int] = field(default_factory=dict)
    _lost: dict[int, _Lost] = field(default_factory=dict)
    _remembered: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    _reads: int = 0
    _up_ticks: int = 0

    def read(self, uptime_s: float) -> None:
        """Bring all groups up to date. `uptime_s`: seconds since boot."""
        pids = {int(name) for name in os.listdir(self.proc) if name.isdigit()}
        self._reads += 1
        self._bury(self._processes.keys() - pids)
        self._outside = {pid: check for pid, check in self._outside.items() if pid in pids and check > self._reads}
        for group in self.groups.values():
            group.anon = group.shared = group.members = 0
        for process in list(self._processes.values()):
            self._follow(process)
        for pid in pids - self._processes.keys() - self._outside.keys():
            self._meet(pid)
        for process in self._processes.values():
            self._hold(process)
        self._expire()
        self._up_ticks = round(uptime_s * TICKS_PER_S)
        self._remembered = {}

    def group_of(self, pid: int) -> str:
        """Where a process is counted; "" when not here, or not yet."""
        process = self._processes.get(pid)
        return process.group if process else ""

    def forget(self, groups: Iterable[str]) -> None:
        """Drop groups that have no process."""
        for name in groups:
            self.groups.pop(name, None)

    def baselines(self) -> dict[int, tuple[int, int, int]]:
        """By process id: start, own and reaped ticks already counted."""
        return {pid: (process.stat.start, *process.counted) for pid, process in self._processes.items()}

    def remember(self, baselines: Mapping[int, tuple[int, int, int]], uptime_s: float) -> None:
        """Count on from what an earlier collector had counted, at `uptime_s`."""
        self._remembered, self._up_ticks = dict(baselines), round(uptime_s * TICKS_PER_S)

    def close(self) -> None:
        for process in self._processes.values():
            process.close()
        self._processes.clear()

    def _follow(self, process: Process) -> None:
        comm = process.stat.comm
        try:
            ran = process.read()
        except (OSError, ValueError):
            self._bury([process.pid])
            return
        if process.stat.comm != comm or (self._reads + process.pid) % _CHECK_EVERY == 0:
            group = self.place(process)
            if not group:
                self._leave(process)
                return
            process.group = group
        if ran or (self._reads + process.pid) % _REST_EVERY == 0:
            process.read_rest()
            self._count_disk(process)
        self._count(process)

    def _meet(self, pid: int) -> None:
        try:
            process = Process(self.proc, pid, self.files)
        except (OSError, ValueError):
            return
        process.group = "" if process.stat.kernel_thread else self.place(process)
        if not process.group:
            process.close()
            self._outside[pid] = self._reads + (_CHECK_EVERY if process.stat.start < self._up_ticks else 2)
            return
        process.track()
        self._processes[pid] = process
        start, own, reaped = self._remembered.get(pid, (-1, 0, 0))
        if start == process.stat.start:
            process.counted = (own, reaped)
        elif self._up_ticks and process.stat.start >= self._up_ticks - TICKS_PER_S:
            process.counted = (0, 0)
            process.disk = None if process.disk is None else (0, 0)
        self._count(process)
        self._count_disk(process)

    def _count(self, process: Process) -> None:
        """Give the group what its process has used since it was last counted, and what it reaped of the unseen."""
        own, reaped = process.stat.own, process.stat.reaped
        if (own, reaped) == process.counted:
            return
        group = self._group(process.group)
        group.ticks += max(own - process.counted[0], 0)
        unseen = max(reaped - process.counted[1], 0)
        lost = self._lost.get(process.pid)
        if unseen and lost is not None:
            taken = min(unseen, lost.known)
            lost.known, unseen = lost.known - taken, unseen - taken
            group = self._group(lost.group)
        group.ticks += unseen
        process.counted = (own, reaped)

    def _count_disk(self, process: Process) -> None:
        now = process.disk_now()
        if now is None:
            return
        group = self._group(process.group)
        group.disk_seen = True
        if process.disk is not None:
            group.disk_read += max(now[0] - process.disk[0], 0)
            group.disk_written += max(now[1] - process.disk[1], 0)
        process.disk = now

    def _hold(self, process: Process) -> None:
        group = self._group(process.group)
        group.oldest_start = min(group.oldest_start, process.stat.start) if group.members else process.stat.start
        group.members += 1
        group.anon += process.anon
        group.shared = max(group.shared, process.shared)

    def _bury(self, pids: Iterable[int]) -> None:
        """Forget the dead. What was counted of them comes again in what their nearest living ancestor reaps; where the
        parent died too, its children may have gone to process 1 instead, so that one is told as well: to lose some
        last moments is better than to count a life twice."""
        dead = {pid: self._processes.pop(pid) for pid in list(pids)}
        for pid, process in dead.items():
            process.close()
            heirs = {self._living(process.stat.ppid, dead)}
            if process.stat.ppid in dead:
                heirs.add(1)
            owed = self._lost.pop(pid, _Lost())
            for heir in heirs:
                lost = self._lost.setdefault(heir, _Lost())
                lost.known += sum(process.counted) + owed.known
                lost.group, lost.age = process.group, 0

    @staticmethod
    def _living(pid: int, dead: Mapping[int, Process]) -> int:
        while pid in dead:
            pid = dead[pid].stat.ppid
        return pid

    def _leave(self, process: Process) -> None:
        self._processes.pop(process.pid).close()
        self._outside[process.pid] = self._reads + _CHECK_EVERY

    def _expire(self) -> None:
        """A parent that has not shown its child after two reads never will."""
        for lost in self._lost.values():
            lost.age += 1
        self._lost = {pid: lost for pid, lost in self._lost.items() if lost.age <= 2}

    def _group(self, name: str) -> Group:
        return self.groups.setdefault(name, Group())
