"""One process, read again and again from /proc/PID."""

from __future__ import annotations

import os
from typing import NamedTuple

from collector.host.files import File, KeptFiles, read_if_there

_KERNEL_THREAD = 0x00200000  # PF_KTHREAD of linux/sched.h
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that are used; times in clock ticks, `rss` in pages.

    own:    user and system time of the process
    reaped: the same of all its children that it has waited for, and of theirs
    """

    comm: str
    ppid: int
    kernel_thread: bool
    faults: int
    own: int
    reaped: int
    start: int
    rss: int


def parse_stat(data: bytes) -> Stat:
    """Raises ValueError when it is cut short. The name may hold anything, so what follows its last `)` is split."""
    close = data.rindex(b")")
    words = data[close + 2 :].split(b" ", 22)
    return Stat(
        data[data.index(b"(") + 1 : close].decode("utf-8", "replace"),
        int(words[1]),
        bool(int(words[6]) & _KERNEL_THREAD),
        int(words[7]) + int(words[9]),
        int(words[11]) + int(words[12]),
        int(words[13]) + int(words[14]),
        int(words[19]),
        int(words[21]),
    )


class Process:
    """What is remembered of a process between two reads.

    counted:  clock ticks (own, reaped) that its group has already been given
    anon, shared: bytes of anonymous memory, and of files and shared memory
    disk:     bytes (read, written) that its group has already been given
    """

    __slots__ = (
        "_files",
        "_folder",
        "_io",
        "_stat_file",
        "_statm",
        "anon",
        "counted",
        "disk",
        "group",
        "pid",
        "shared",
        "stat",
    )

    def __init__(self, proc: str, pid: int, files: KeptFiles) -> None:
        """Raises OSError or ValueError when it is gone already."""
        self.pid, self._folder, self._files = pid, f"{proc}/{pid}", files
        stat_file = files.open(f"{self._folder}/stat")
        if stat_file is None:
            raise ProcessLookupError(pid)
        self._stat_file = stat_file
        self._statm: File | None = None
        self._io: File | None = None
        self.group = ""
        self.anon = self.shared = 0
        self.disk: tuple[int, int] | None = None
        try:
            self.stat = parse_stat(stat_file.read())
        except (OSError, ValueError):
            stat_file.close()
            raise
        self.counted = (self.stat.own, self.stat.reaped)

    def track(self) -> None:
        """Open what only a process of a group needs."""
        self._statm = self._files.open(f"{self._folder}/statm")
        self._io = self._files.open(f"{self._folder}/io")
        self.read_rest()
        self.disk = self.disk_now()

    def read(self) -> bool:
        """Read its stat again. Returns whether it has run since. Raises OSError or ValueError when it is gone."""
        before = self.stat
        now = parse_stat(self._stat_file.read())
        if now.start != before.start:  # the number was given to another process
            raise ProcessLookupError(self.pid)
        self.stat = now
        return before[3:] != now[3:]

    def read_rest(self) -> None:
        """Memory: statm has size, resident and shared pages first. A process that ends meanwhile keeps what it had."""
        if self._statm is None:
            return
        try:
            words = self._statm.read().split(b" ", 3)
            resident, shared = int(words[1]), int(words[2])
        except (OSError, ValueError, IndexError):
            return
        self.anon, self.shared = (resident - shared) * PAGE_BYTES, shared * PAGE_BYTES

    def disk_now(self) -> tuple[int, int] | None:
        """Bytes it made block devices read and write; None when the kernel does not let us see."""
        if self._io is None:
            return None
        try:
            data = self._io.read()
            return int(_after(data, b"\nread_bytes: ")), int(_after(data, b"\nwrite_bytes: "))
        except (OSError, ValueError):
            return None

    def file(self, name: str) -> bytes | None:
        """Another of its files, such as cgroup or cmdline; None when it may not be read."""
        return read_if_there(f"{self._folder}/{name}")

    def close(self) -> None:
        for file in (self._stat_file, self._statm, self._io):
            if file is not None:
                file.close()


def _after(data: bytes, key: bytes) -> bytes:
    at = data.find(key) + len(key)
    return data[at : data.find(b"\n", at)]
