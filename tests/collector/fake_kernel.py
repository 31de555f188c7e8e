"""A kernel's process table as files: forks, runs, exits and waits as Linux does, for the process groups to read."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

HZ = 100


@dataclass
class FakeProcess:
    pid: int
    ppid: int
    comm: str
    start: int
    own: int = 0
    reaped: int = 0


@dataclass
class FakeKernel:
    """`used` is every tick that any process has run; process 1 waits for orphans, as init does."""

    proc: Path
    uptime_s: float = 1000.0
    used: int = 0
    processes: dict[int, FakeProcess] = field(default_factory=dict)
    _next: int = 2

    def __post_init__(self) -> None:
        self._write(FakeProcess(1, 0, "init", 0))

    def spawn(self, parent: int, comm: str) -> int:
        pid, self._next = self._next, self._next + 1
        self._write(FakeProcess(pid, parent, comm, round(self.uptime_s * HZ)))
        return pid

    def run(self, pid: int, ticks: int) -> None:
        process = self.processes[pid]
        process.own += ticks
        self.used += ticks
        self._write(process)

    def exec(self, pid: int, comm: str) -> None:
        self.processes[pid].comm = comm
        self._write(self.processes[pid])

    def exit(self, pid: int) -> None:
        """End and be waited for; children go to process 1."""
        process = self.processes.pop(pid)
        shutil.rmtree(self.proc / str(pid))
        for child in [p for p in self.processes.values() if p.ppid == pid]:
            child.ppid = 1
            self._write(child)
        parent = self.processes[process.ppid]
        parent.reaped += process.own + process.reaped
        self._write(parent)

    def _write(self, process: FakeProcess) -> None:
        self.processes[process.pid] = process
        folder = self.proc / str(process.pid)
        folder.mkdir(parents=True, exist_ok=True)
        p = process
        (folder / "stat").write_text(
            f"{p.pid} ({p.comm}) S {p.ppid} 1 1 0 -1 4194560 10 0 0 0 {p.own} 0 {p.reaped} 0 20 0 1 0 {p.start} 1 10 "
            "18446744073709551615 1 1 0\n"
        )
        (folder / "statm").write_text("100 10 5 1 0 0 0\n")
