"""Bodies that were taken and are not yet in saved rows, on disk: a collector that is killed reads them again.

A sender that was told 204 forgets. Written and not synced: a killed process loses nothing, a power cut what the kernel
had not written yet, as the outbox holds its rows only from the next flush on anyway. Reading again does not double, as
a sample at or before the standing of its series is dropped.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_HEAD = struct.Struct("<IHHq")  # bytes of the body, of the protocol, of the sender, and when it came


@dataclass(frozen=True, slots=True)
class Entry:
    """One body as it was taken in, unpacked by nobody yet."""

    protocol: str
    sender: str
    received_ms: int
    body: bytes


class Journal:
    """One file for each period between two calls of `turn`, beside the outbox. Used under the intake's lock."""

    def __init__(self, stem: Path) -> None:
        """`stem`: the files are called like it, with `.listen-` and a number behind."""
        self._stem = stem
        self._period = max(self._periods(), default=0)
        self._file: BinaryIO | None = None

    def begin(self, needed: int) -> int:
        """Go on after an earlier process whose saved state needs the periods from `needed` on. Returns the first that is
        kept; no number before the next one is used again, though its file may be gone."""
        self._period = max(self._period, needed) + 1
        return min(self._periods(), default=self._period)

    def append(self, entry: Entry) -> None:
        """Raises OSError when the disk refuses."""
        if self._file is None:
            self._file = self._path(self._period).open("ab", buffering=0)
        protocol, sender = entry.protocol.encode(), entry.sender.encode()
        head = _HEAD.pack(len(entry.body), len(protocol), len(sender), entry.received_ms)
        self._file.write(b"".join([head, protocol, sender, entry.body]))

    def turn(self) -> int:
        """Begin the next period. Returns its number."""
        self.close()
        self._period += 1
        return self._period

    def forget(self, before: int) -> None:
        """Delete the periods before this one."""
        for period in self._periods():
            if period < before:
                self._path(period).unlink(missing_ok=True)

    def entries(self) -> Iterator[Entry]:
        """Everything that is kept, oldest first. A body that a kill cut short was not confirmed and is left out."""
        for period in sorted(self._periods()):
            with self._path(period).open("rb") as file:
                while len(head := file.read(_HEAD.size)) == _HEAD.size:
                    size, protocol, sender, received_ms = _HEAD.unpack(head)
                    texts, body = file.read(protocol + sender), file.read(size)
                    if len(body) < size:
                        break
                    yield Entry(texts[:protocol].decode(), texts[protocol:].decode(), received_ms, body)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _periods(self) -> list[int]:
        found = self._stem.parent.glob(f"{self._stem.name}.listen-*")
        return [int(path.name.rpartition("-")[2]) for path in found if path.name.rpartition("-")[2].isdigit()]

    def _path(self, period: int) -> Path:
        return self._stem.with_name(f"{self._stem.name}.listen-{period:08d}")
