"""One cgroup, read again and again: its counters, its memory, its limits; v1 and v2 behind one face.

Formulas: working set = usage - inactive file cache, as cAdvisor and the kubelet's eviction count it; cores of a quota =
quota / period.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from collector.host import parse
from collector.host.files import File, KeptFiles, read_if_there
from collector.host.layout import Layout
from collector.rates import Count

N = TypeVar("N", int, float)

Traffic = tuple[Count, Count]
NO_TRAFFIC: Traffic = (None, None)


class Counters(NamedTuple):
    """Counters that are cheap to read: looked at every time. None: the file is not there."""

    cpu_us: Count = None
    periods: Count = None
    throttled: Count = None
    oom_kills: Count = None


class DearCounters(NamedTuple):
    """Counters that the kernel sums up over all CPUs or devices for each read. Waits in microseconds, the rest bytes."""

    cpu_wait_us: Count = None
    memory_wait_us: Count = None
    io_wait_us: Count = None
    disk_read: Count = None
    disk_written: Count = None
    net_received: Count = None
    net_sent: Count = None


class Sample(NamedTuple):
    """One read: counters, and the memory held now in bytes."""

    counters: Counters
    working_set: int | None
    rss: int | None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cgroup may use. None: unlimited, or not known. `shares` is v1 cpu.shares, `weight` is v2 cpu.weight."""

    cpu_cores: float | None = None
    memory_bytes: int | None = None
    shares: int | None = None
    weight: int | None = None


@dataclass(slots=True)
class LimitMemo:
    """Limits of folders that many cgroups lie in, so that one pass reads each of them once."""

    cpu: dict[str, float | None] = field(default_factory=dict)
    memory: dict[str, int | None] = field(default_factory=dict)


class Cgroup(Protocol):
    """One cgroup. Both reads raise OSError once it is gone."""

    def read(self) -> Sample: ...

    def read_dear(self, traffic: Traffic) -> DearCounters:
        """`traffic` is what its network namespace counts."""

    def limits(self, memo: LimitMemo) -> Limits: ...

    def close(self) -> None: ...


def open_cgroup(layout: Layout, path: str, files: KeptFiles, stacked: Container[bytes]) -> Cgroup:
    """The cgroup at this path under the hierarchies' roots. `stacked`: block devices to leave out, as b"253:0"."""
    return (CgroupV2 if layout.unified else CgroupV1)(layout, path, files, stacked)


class CgroupV2:
    __slots__ = ("_cpu", "_folder", "_io", "_memory", "_path", "_pressures", "_root", "_stacked")

    def __init__(self, layout: Layout, path: str, files: KeptFiles, stacked: Container[bytes]) -> None:
        self._root, self._path, self._stacked = layout.trees["unified"], path, stacked
        self._folder = folder = self._root + path
        self._cpu = files.open(f"{folder}/cpu.stat")
        self._io = files.open(f"{folder}/io.stat")
        self._pressures = Pressures(folder, files)
        self._memory = Memory(
            files.open(f"{folder}/memory.current"),
            files.open(f"{folder}/memory.stat"),
            files.open(f"{folder}/memory.events"),
            inactive_key=b"\ninactive_file ",
            rss_key=b"anon ",
        )

    def read(self) -> Sample:
        cpu_us = periods = throttled = None
        if self._cpu is not None:
            data = self._cpu.read()
            cpu_us = parse.first_field(data, b"usage_usec ")
            periods = parse.field(data, b"\nnr_periods ")
            throttled = parse.field(data, b"\nnr_throttled ")
        memory = self._memory
        memory.read()
        return Sample(Counters(cpu_us, periods, throttled, memory.oom_kills), memory.working_set, memory.rss)

    def read_dear(self, traffic: Traffic) -> DearCounters:
        disk = NO_TRAFFIC if self._io is None else parse.io_stat(self._io.read(), self._stacked)
        return DearCounters(*self._pressures.read(), *disk, *traffic)

    def limits(self, memo: LimitMemo) -> Limits:
        weight = parse.number(read_if_there(f"{self._folder}/cpu.weight"))
        cpu, memory = _v2_limits(self._root, self._path, memo)
        return Limits(cpu, memory, weight=weight)

    def close(self) -> None:
        close_all(self._cpu, self._io)
        self._pressures.close()
        self._memory.close()


class CgroupV1:
    __slots__ = ("_blkio", "_cpu_stat", "_folders", "_memory", "_pressures", "_stacked", "_usage")

    def __init__(self, layout: Layout, path: str, files: KeptFiles, stacked: Container[bytes]) -> None:
        self._stacked = stacked
        self._folders = {name: root + path for name, root in layout.trees.items()}
        self._usage = self._open(files, "cpuacct", "cpuacct.usage")
        self._cpu_stat = self._open(files, "cpu", "cpu.stat")
        # Without _recursive the bytes of cgroups below would be missing; kernels before 4.16 lack the file.
        self._blkio = self._open(files, "blkio", "blkio.throttle.io_service_bytes_recursive") or self._open(
            files, "blkio", "blkio.throttle.io_service_bytes"
        )
        self._pressures = Pressures(self._folders.get("unified"), files)
        self._memory = Memory(
            self._open(files, "memory", "memory.usage_in_bytes"),
            self._open(files, "memory", "memory.stat"),
            self._open(files, "memory", "memory.oom_control"),
            inactive_key=b"\ntotal_inactive_file ",
            rss_key=b"\ntotal_rss ",
        )

    def read(self) -> Sample:
        usage_ns = None if self._usage is None else parse.number(self._usage.read())
        periods = throttled = None
        if self._cpu_stat is not None:
            data = self._cpu_stat.read()
            periods = parse.first_field(data, b"nr_periods ")
            throttled = parse.field(data, b"\nnr_throttled ")
        cpu_us = None if usage_ns is None else usage_ns // 1000
        memory = self._memory
        memory.read()
        return Sample(Counters(cpu_us, periods, throttled, memory.oom_kills), memory.working_set, memory.rss)

    def read_dear(self, traffic: Traffic) -> DearCounters:
        disk = NO_TRAFFIC if self._blkio is None else parse.blkio(self._blkio.read(), self._stacked)
        return DearCounters(*self._pressures.read(), *disk, *traffic)

    def limits(self, memo: LimitMemo) -> Limits:
        quota = parse.number(self._now("cpu", "cpu.cfs_quota_us"))
        period = parse.number(self._now("cpu", "cpu.cfs_period_us"))
        shares = parse.number(self._now("cpu", "cpu.shares"))
        stat = self._now("memory", "memory.stat") or b""
        held = parse.field(stat, b"\nhierarchical_memory_limit ")
        ceiling = None if held is None or held >= parse.UNLIMITED else held
        return Limits(parse.quota_cores(quota, period), ceiling, shares=shares)

    def close(self) -> None:
        close_all(self._usage, self._cpu_stat, self._blkio)
        self._pressures.close()
        self._memory.close()

    def _open(self, files: KeptFiles, controller: str, name: str) -> File | None:
        folder = self._folders.get(controller)
        return None if folder is None else files.open(f"{folder}/{name}")

    def _now(self, controller: str, name: str) -> bytes | None:
        folder = self._folders.get(controller)
        return None if folder is None else read_if_there(f"{folder}/{name}")


class Pressures:
    """The three PSI files of a cgroup; all or none of them are there."""

    __slots__ = ("_files",)

    def __init__(self, folder: str | None, files: KeptFiles) -> None:
        if folder is None:
            self._files: list[File] = []
            return
        found = [files.open(f"{folder}/{what}.pressure") for what in ("cpu", "memory", "io")]
        self._files = [file for file in found if file is not None] if None not in found else []

    def read(self) -> tuple[Count, Count, Count]:
        """Microseconds waited for CPU, memory and disk."""
        if not self._files:
            return None, None, None
        cpu, memory, io = self._files
        return parse.pressure_us(cpu.read()), parse.pressure_us(memory.read()), parse.pressure_us(io.read())

    def close(self) -> None:
        close_all(*self._files)


class Memory:
    """Memory of a cgroup and its OOM kills.

    memory.stat is by far the dearest file: the kernel sums up every CPU's part for it. It is read again when usage has
    moved by STEP_BYTES since, and every QUIET_READS; so the working set is right to STEP_BYTES and to what the kernel
    moves between its lists in that time. Kills are looked for at the same times: a kill
    frees more than STEP_BYTES.
    """

    STEP_BYTES = 1 << 20
    QUIET_READS = 10

    __slots__ = (
        "_current", "_events", "_inactive", "_inactive_key", "_looked_at", "_quiet", "_rss_key", "_stat",
        "oom_kills", "rss", "working_set",
    )  # fmt: skip

    def __init__(
        self, current: File | None, stat: File | None, events: File | None, *, inactive_key: bytes, rss_key: bytes
    ) -> None:
        self._current, self._stat, self._events = current, stat, events
        self._inactive_key, self._rss_key = inactive_key, rss_key
        self._quiet = self._looked_at = self._inactive = 0
        self.working_set: int | None = None
        self.rss: int | None = None
        self.oom_kills: int | None = None

    def read(self) -> None:
        """Bring `working_set`, `rss` and `oom_kills` up to date."""
        if self._current is None or self._stat is None:
            return
        usage = parse.number(self._current.read()) or 0
        if self._quiet <= 0 or abs(usage - self._looked_at) >= self.STEP_BYTES:
            self._look(usage)
        self._quiet -= 1
        self.working_set = max(usage - self._inactive, 0)

    def close(self) -> None:
        close_all(self._current, self._stat, self._events)

    def _look(self, usage: int) -> None:
        assert self._stat is not None
        data = self._stat.read()
        self._inactive = parse.field(data, self._inactive_key) or 0
        self.rss = parse.first_field(data, self._rss_key.lstrip(b"\n"))
        if self._events is not None:
            self.oom_kills = parse.field(self._events.read(), b"\noom_kill ")
        self._looked_at, self._quiet = usage, self.QUIET_READS


def _v2_limits(root: str, path: str, memo: LimitMemo) -> tuple[float | None, int | None]:
    """The tightest limits on the way from a cgroup up to the root: a slice's limit binds what is in it."""
    if path in memo.cpu:
        return memo.cpu[path], memo.memory[path]
    parent = path.rpartition("/")[0]
    above = _v2_limits(root, parent, memo) if parent else (None, None)
    cpu = _tighter(above[0], parse.cpu_max(read_if_there(f"{root}{path}/cpu.max")))
    memory = _tighter(above[1], parse.limit(read_if_there(f"{root}{path}/memory.max")))
    memo.cpu[path], memo.memory[path] = cpu, memory
    return cpu, memory


def _tighter(a: N | None, b: N | None) -> N | None:
    return b if a is None else a if b is None else min(a, b)


def close_all(*files: File | None) -> None:
    """Close those that are there."""
    for file in files:
        if file is not None:
            file.close()
