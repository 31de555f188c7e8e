"""Where all receivers put samples: bounded, told apart by what becomes of them, and taken out as rows."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from collector.listen.journal import Entry, Journal
from collector.listen.naming import Naming
from collector.listen.protocols import Protocol, protocols
from collector.listen.refusal import REFUSED, Fate, RequestRefusedError
from collector.listen.remote_write import Labels, Register
from collector.listen.rows import Made, Rows
from collector.listen.series import FAILOVER_MS, NUMBERS, SeriesIndex
from collector.listen.wire import Samples
from collector.listen_settings import ListenSettings
from models.metrics import Meter

RETRY_AFTER_S = 10
_PERIOD = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of the samples of one request."""

    fates: Mapping[Fate, int]
    histograms: int = 0
    exemplars: int = 0

    @property
    def accepted(self) -> int:
        """Samples that need not be sent again."""
        return sum(count for fate, count in self.fates.items() if fate not in REFUSED)

    @property
    def refused(self) -> int:
        return sum(count for fate, count in self.fates.items() if fate in REFUSED)

    def reason(self) -> str:
        """Why samples were refused; empty when none was."""
        return "; ".join(f"{self.fates[fate]} samples {why}" for fate, why in REFUSED.items() if self.fates.get(fate))


class Intake:
    """Used by the server's thread, which puts in, and the collector's, which takes out."""

    def __init__(
        self,
        settings: ListenSettings,
        cluster: str,
        meter: Meter,
        now_ms: Callable[[], int],
        journal: Journal,
        room: Callable[[], bool] = lambda: True,
    ) -> None:
        """`room` says whether the outbox can take more."""
        self._settings, self._meter, self._now_ms, self._room = settings, meter, now_ms, room
        self._journal = journal
        self._lock = threading.Lock()
        self._index = SeriesIndex(settings)
        self._rows = Rows(self._index, Naming(cluster, self._index), settings.max_gap_s)
        self._protocols: dict[str, Protocol] = protocols(settings)
        self._older: list[Samples] = []
        self._newer: list[Samples] = []
        self._waiting = 0
        self._older_since = self._newer_since = 0
        """Periods of the journal from which on what waits came."""

    def check_room(self) -> None:
        """Raises RequestRefusedError (503) when samples cannot be taken now; nothing of the request was."""
        if self._waiting > self._settings.max_waiting_samples or not self._room():
            raise RequestRefusedError(503, "too much waits for the log already; send this again later", RETRY_AFTER_S)

    def write(self, protocol: str, body: bytes, sender: str) -> Receipt:
        """Take in a body as it was sent. Raises RequestRefusedError when it cannot be read, or there is no room."""
        self.check_room()
        entry = Entry(protocol, sender, self._now_ms(), body)
        with self._lock:
            receipt = self._take(entry)
            try:
                self._journal.append(entry)
            except OSError as error:
                raise RequestRefusedError(503, f"the journal cannot be written: {error}", RETRY_AFTER_S) from error
        for fate, count in receipt.fates.items():
            self._meter.count("sizewise_listen_samples_total", count, protocol=protocol, fate=fate)
        return receipt

    def rows(self, saved: bytes) -> Made:
        """The rows whose samples have waited for siblings since the call before. `saved`: the newest state which is
        known to be saved; what it covers leaves the journal."""
        with self._lock:
            made = self._rows.make(self._ripe())
            self._older_since, self._newer_since = self._newer_since, self._journal.turn()
            self._journal.forget(_needed(saved))
            self._forget_idle()
        for fate, count in made.fates.items():
            self._meter.count("sizewise_listen_dropped_samples_total", count, fate=fate)
        self._meter.count("sizewise_listen_clamped_values_total", made.clamped)
        self._meter.gauge("sizewise_listen_series", len(self._index))
        return made

    def state(self) -> bytes:
        """Where every series stands, and from which period on the journal holds what is not in it."""
        with self._lock:
            return _PERIOD.pack(self._older_since) + self._index.state()

    def restore(self, state: bytes) -> None:
        """Go on where an earlier process saved `state`, and take in again what came after that."""
        with self._lock:
            self._index.restore(state[_PERIOD.size :])
            self._newer_since = self._journal.begin(_needed(state))
            for entry in self._journal.entries():
                with suppress(RequestRefusedError):  # as it was the first time
                    self._take(entry)

    def close(self) -> None:
        with self._lock:
            self._journal.close()

    def _take(self, entry: Entry) -> Receipt:
        protocol = self._protocols[entry.protocol]
        written = protocol.reader.read(protocol.unpack(entry.body), self._register(entry.sender))
        samples, fates = self._timely(written.samples, entry.received_ms)
        self._newer.append(samples)
        self._waiting += len(samples.series)
        self._index.standing.seen_ms[samples.series] = entry.received_ms
        return Receipt(fates, written.histograms, written.exemplars)

    def _register(self, sender: str) -> Register:
        def register(labels: Labels) -> int:
            return self._index.number(labels, sender)

        return register

    def _timely(self, samples: Samples, now_ms: int) -> tuple[Samples, dict[Fate, int]]:
        """Those to keep, and how many went which way."""
        unnumbered = samples.series < 0
        ancient = samples.time_ms < now_ms - round(self._settings.max_age_s * 1000)
        future = samples.time_ms > now_ms + round(self._settings.max_ahead_s * 1000)
        keep = ~(unnumbered | ancient | future)
        fates = {Fate.ANCIENT: int(ancient.sum()), Fate.FUTURE: int(future.sum()), Fate.WAITING: int(keep.sum())}
        timely = unnumbered & ~ancient & ~future
        fates |= {fate: int((samples.series[timely] == number).sum()) for number, fate in NUMBERS.items()}
        kept = samples if keep.all() else samples.take(keep)
        return kept.finite(), {fate: count for fate, count in fates.items() if count}

    def _ripe(self) -> Samples:
        """What waited since the last call, and what came later of the same times. The rest waits once more."""
        older, newer = Samples.joined(self._older), Samples.joined(self._newer)
        entity = self._index.standing.entity
        until = np.full(len(self._index.entities.cls), -1, np.int64)
        np.maximum.at(until, entity[older.series], older.time_ms)
        ripe = newer.time_ms <= until[entity[newer.series]]
        left = newer.take(~ripe)
        self._older, self._newer, self._waiting = [left], [], len(left.series)
        return Samples.joined([older, newer.take(ripe)])

    def _forget_idle(self) -> None:
        now_ms = self._now_ms()
        idle = self._index.forget_idle(now_ms - round(self._settings.idle_s * 1000), now_ms - FAILOVER_MS)
        if idle:
            for protocol in self._protocols.values():
                protocol.reader.forget(idle)


def _needed(state: bytes) -> int:
    """The first period of the journal that is needed beside this state."""
    return int(_PERIOD.unpack_from(state)[0]) if len(state) >= _PERIOD.size else 0
