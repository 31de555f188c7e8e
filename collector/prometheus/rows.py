"""Rows on their way into messages: gathered by partition, encoded as soon as a message is full, so that what is in memory
is one message per partition and not a whole answer as rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from collector.outbox import Addressed
from collector.publisher import MAX_ROWS, joined, pieces, telemetry_message
from models.signals import RowKind
from models.telemetry import KEY_COLUMNS, TelemetryBatch
from models.workload import partition_of
from stream.streams import TELEMETRY


class RowMessages:
    """Rows of one span of time into messages."""

    def __init__(self, producer: str, partitions: int) -> None:
        self._producer, self._partitions = producer, partitions
        self._batches: dict[tuple[RowKind, int], list[TelemetryBatch]] = defaultdict(list)
        self._waiting: dict[tuple[RowKind, int], int] = defaultdict(int)
        self._out: list[Addressed] = []
        self.rows = 0

    def add(
        self,
        kind: RowKind,
        keys: tuple[str, ...],
        time_ms: Sequence[int],
        interval_ms: Sequence[int],
        signals: Mapping[str, Sequence[float | None]],
    ) -> None:
        """Rows of one workload instance. `keys` in the order of KEY_COLUMNS[kind]."""
        n = len(time_ms)
        columns = {name: [key] * n for name, key in zip(KEY_COLUMNS[kind], keys, strict=True)}
        place = kind, partition_of(keys[0], self._partitions)
        self._batches[place].append(TelemetryBatch(kind, columns, time_ms, interval_ms, signals))
        self._waiting[place] += n
        self.rows += n
        if self._waiting[place] >= MAX_ROWS:
            self._encode(place)

    def take(self) -> list[Addressed]:
        """Everything that was added, as messages. May be called once."""
        for place in sorted(self._batches):
            self._encode(place)
        return self._out

    def _encode(self, place: tuple[RowKind, int]) -> None:
        kind, partition = place
        self._out += self._messages(kind, partition, joined(kind, self._batches.pop(place)))
        del self._waiting[place]

    def _messages(self, kind: RowKind, partition: int, batch: TelemetryBatch) -> Iterator[Addressed]:
        for piece in pieces(batch, 2 * MAX_ROWS):  # a few rows over must not make a message of their own
            yield Addressed(TELEMETRY, telemetry_message(piece, self._producer, partition))
