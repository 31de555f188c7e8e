"""Machines as text: a `.tree` file in `trees/` holds the kernel's files of one machine, in the kernel's own format.

`=== PATH` begins a file, `=== PATH -> TARGET` is a symbolic link, `\\0` stands for a NUL byte and a backslash at the end
of the last line for "no newline here". Paths lie under `proc`, `sys`, `cgroup` and `host` (the root of the host's files).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from collector.host.source import HostSource
from collector.settings import CollectorSettings, HostSettings
from collector.source import Moment, Reading
from models.telemetry import TelemetryBatch

_TREES = Path(__file__).parent / "trees"
START = Moment(1_700_000_000_000, 1_000_000_000)


@dataclass
class RecordedMachine:
    """One machine in a folder; its files can be changed between two reads."""

    root: Path

    @classmethod
    def load(cls, name: str, root: Path) -> RecordedMachine:
        machine = cls(root)
        for part in (_TREES / f"{name}.tree").read_text().split("\n=== ")[1:]:
            path, _, content = part.partition("\n")
            path, _, target = path.partition(" -> ")
            if target:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).symlink_to(target)
            elif content.endswith("\\"):
                machine.write(path, content[:-1].replace("\\0", "\0"))
            else:
                machine.write(path, content + "\n" if content else "")
        return machine

    def settings(self, **host: object) -> CollectorSettings:
        roots = {name: str(self.root / name) for name in ("proc", "sys", "cgroup")} | {"root": str(self.root / "host")}
        return CollectorSettings(cluster="prod", node="n1", host=HostSettings(**(roots | host)))  # type: ignore[arg-type]

    def source(self, **host: object) -> HostSource:
        return HostSource(self.settings(**host))

    def write(self, path: str, content: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def change(self, path: str, before: str, after: str) -> None:
        """Replace one part of a file; it must be there once, so that a test cannot change nothing."""
        text = (self.root / path).read_text()
        assert text.count(before) == 1, f"{before!r} occurs {text.count(before)} times in {path}"
        self.write(path, text.replace(before, after))

    def remove(self, path: str) -> None:
        shutil.rmtree(self.root / path)


def later(ms: int) -> Moment:
    """A moment some milliseconds after START, on both clocks."""
    return Moment(START.wall_ms + ms, START.steady_ms + ms)


def rows(reading: Reading) -> dict[str, dict[str, object]]:
    """All rows of a reading by workload id (each once), with every column but the id; missing values left out."""
    out: dict[str, dict[str, object]] = {}
    for batch in reading.batches:
        for i, workload in enumerate(batch.keys["workload"]):
            assert workload not in out, f"two rows of {workload}"
            out[workload] = _row(batch, i)
    return out


def _row(batch: TelemetryBatch, i: int) -> dict[str, object]:
    values = {name: column[i] for name, column in batch.signals.items() if column[i] is not None}
    return {
        "instance": batch.keys["instance"][i],
        "time_ms": batch.time_ms[i],
        "interval_ms": batch.interval_ms[i],
        **values,
    }
