"""One cgroup, read again and again: its counters, its memory, its limits; v1 and v2 behind one face.

Formulas: working set = usage - inactive file cache, as cAdvisor and the kubelet's eviction count it; cores of a quota =
quota / period.
"""

from __future__ import annotations

import os
from collections.abc import Container
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from collector.host import parse
from collector.host.files import KeptFile, KeptFiles, read_if_there
from collector.host.layout import Layout
from collector.rates import Count

N = TypeVar("N", int, float)


class Counters(NamedTuple):
    """What only ever grows, while its owner lives. Times in microseconds. None: the file is not there."""

    cpu_us: Count = None
    periods: Count = None
    throttled: Count = None
    cpu_wait_us: Count = None
    memory_wait_us: Count = None
    io_wait_us: Count = None
    disk_read: Count = None
    disk_written: Count = None
    oom_kills: Count = None
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


class Cgroup(Protocol):
    """One cgroup. `read` raises OSError once it is gone."""

    def read(self) -> Sample: ...

    def limits(self, memo: LimitMemo) -> Limits: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class LimitMemo:
    """Limits of folders that many cgroups lie in, so that one pass reads each of them once."""

    cpu: dict[str, float | None] = field(default_factory=dict)
    memory: dict[str, int | None] = field(default_factory=dict)


def open_cgroup(layout: Layout, path: str, files: KeptFiles, stacked: Container[bytes]) -> Cgroup:
    """The cgroup at this path under the hierarchies' roots. `stacked`: block devices to leave out, as b"253:0"."""
    return (CgroupV2 if layout.unified else CgroupV1)(layout, path, files, stacked)


class CgroupV2:
    __slots__ = ("_cpu", "_events", "_folder", "_io", "_memory", "_path", "_pressures", "_root", "_stacked", "_stat")

    def __init__(self, layout: Layout, path: str, files: KeptFiles, stacked: Container[bytes]) -> None:
        self._root, self._path, self._stacked = layout.trees["unified"], path, stacked
        self._folder = folder = self._root + path
        self._cpu = files.open(f"{folder}/cpu.stat")
        self._memory = files.open(f"{folder}/memory.current")
        self._stat = files.open(f"{folder}/memory.stat")
        self._events = files.open(f"{folder}/memory.events")
        self._io = files.open(f"{folder}/io.stat")
        self._pressures = tuple(files.open(f"{folder}/{what}.pressure") for what in ("cpu", "memory", "io"))

    def read(self) -> Sample:
        cpu_us = periods = throttled = None
        if self._cpu is not None:
            data = self._cpu.read()
            cpu_us = parse.first_field(data, b"usage_usec ")
            periods = parse.field(data, b"\nnr_periods ")
            throttled = parse.field(data, b"\nnr_throttled ")
        read, written = (None, None) if self._io is None else parse.io_stat(self._io.read(), self._stacked)
        cpu_wait, memory_wait, io_wait = map(_pressure, self._pressures)
        ooms = None if self._events is None else parse.field(self._events.read(), b"\noom_kill ")
        counters = Counters(cpu_us, periods, throttled, cpu_wait, memory_wait, io_wait, read, written, ooms)
        return Sample(counters, *_memory(self._memory, self._stat, b"\ninactive_file ", b"anon "))

    def limits(self, memo: LimitMemo) -> Limits:
        weight = parse.number(read_if_there(f"{self._folder}/cpu.weight"))
        cpu, memory = _v2_limits(self._root, self._path, memo)
        return Limits(cpu, memory, weight=weight)

    def close(self) -> None:
        _close(self._cpu, self._memory, self._stat, self._events, self._io, *self._pressures)


class CgroupV1:
    __slots__ = ("_blkio", "_cpu_stat", "_folders", "_memory", "_oom", "_pressures", "_stacked", "_stat", "_usage")

    def __init__(self, layout: Layout, path: str, files: KeptFiles, stacked: Container[bytes]) -> None:
        self._stacked = stacked
        self._folders = {name: root + path for name, root in layout.trees.items()}
        at = self._folders.get
        self._usage = files.open(f"{at('cpuacct')}/cpuacct.usage")
        self._cpu_stat = files.open(f"{at('cpu')}/cpu.stat")
        self._memory = files.open(f"{at('memory')}/memory.usage_in_bytes")
        self._stat = files.open(f"{at('memory')}/memory.stat")
        self._oom = files.open(f"{at('memory')}/memory.oom_control")
        # Without _recursive the bytes of cgroups below would be missing; kernels before 4.16 lack the file.
        self._blkio = files.open(f"{at('blkio')}/blkio.throttle.io_service_bytes_recursive") or files.open(
            f"{at('blkio')}/blkio.throttle.io_service_bytes"
        )
        self._pressures = tuple(files.open(f"{at('unified')}/{what}.pressure") for what in ("cpu", "memory", "io"))

    def read(self) -> Sample:
        usage_ns = None if self._usage is None else parse.number(self._usage.read())
        periods = throttled = None
        if self._cpu_stat is not None:
            data = self._cpu_stat.read()
            periods = parse.first_field(data, b"nr_periods ")
            throttled = parse.field(data, b"\nnr_throttled ")
        read, written = (None, None) if self._blkio is None else parse.blkio(self._blkio.read(), self._stacked)
        cpu_wait, memory_wait, io_wait = map(_pressure, self._pressures)
        ooms = None if self._oom is None else parse.field(self._oom.read(), b"\noom_kill ")
        cpu_us = None if usage_ns is None else usage_ns // 1000
        counters = Counters(cpu_us, periods, throttled, cpu_wait, memory_wait, io_wait, read, written, ooms)
        return Sample(counters, *_memory(self._memory, self._stat, b"\ntotal_inactive_file ", b"\ntotal_rss "))

    def limits(self, memo: LimitMemo) -> Limits:
        cpu, memory = self._folders.get("cpu"), self._folders.get("memory")
        quota = parse.number(read_if_there(f"{cpu}/cpu.cfs_quota_us"))
        period = parse.number(read_if_there(f"{cpu}/cpu.cfs_period_us"))
        shares = parse.number(read_if_there(f"{cpu}/cpu.shares"))
        stat = read_if_there(f"{memory}/memory.stat") or b""
        held = parse.field(stat, b"\nhierarchical_memory_limit ")
        ceiling = None if held is None or held >= parse.UNLIMITED else held
        return Limits(parse.quota_cores(quota, period), ceiling, shares=shares)

    def close(self) -> None:
        _close(self._usage, self._cpu_stat, self._memory, self._stat, self._oom, self._blkio, *self._pressures)


def _memory(
    current: KeptFile | None, stat: KeptFile | None, inactive_key: bytes, rss_key: bytes
) -> tuple[int | None, int | None]:
    """(working set, anonymous memory). The cache that the kernel would drop first is no part of the working set."""
    if current is None or stat is None:
        return None, None
    usage, data = parse.number(current.read()), stat.read()
    inactive, rss = parse.field(data, inactive_key), parse.first_field(data, rss_key.lstrip(b"\n"))
    return (None if usage is None else max(usage - (inactive or 0), 0)), rss


def _v2_limits(root: str, path: str, memo: LimitMemo) -> tuple[float | None, int | None]:
    """The tightest limits on the way from a cgroup up to the root: a slice's limit binds what is in it."""
    if path in memo.cpu:
        return memo.cpu[path], memo.memory[path]
    above: tuple[float | None, int | None] = (None, None)
    if path.rfind("/") > 0:
        above = _v2_limits(root, os.path.dirname(path), memo)
    cpu = _tighter(above[0], parse.cpu_max(read_if_there(f"{root}{path}/cpu.max")))
    memory = _tighter(above[1], parse.limit(read_if_there(f"{root}{path}/memory.max")))
    memo.cpu[path], memo.memory[path] = cpu, memory
    return cpu, memory


def _pressure(file: KeptFile | None) -> int | None:
    return None if file is None else parse.pressure_us(file.read())


def _tighter(a: N | None, b: N | None) -> N | None:
    return b if a is None else a if b is None else min(a, b)


def _close(*files: KeptFile | None) -> None:
    for file in files:
        if file is not None:
            file.close()
