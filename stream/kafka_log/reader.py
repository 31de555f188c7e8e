"""Reading partitions without a group."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from stream.contract import Record
from stream.kafka_log.errors import is_permanent, log_error, translated
from stream.kafka_log.records import record_of

_log = logging.getLogger(__name__)
_BACK_OFF_S = 0.2


class KafkaReader:
    """Owns its consumer. `starts` and `ends` are per partition, as they were when it was opened."""

    def __init__(
        self, consumer: Any, stream: str, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> None:
        self._consumer = consumer
        self._stream = stream
        self._behind = {at: ends[at] for at, start in starts.items() if start < ends[at]}
        consumer.assign(list(starts))
        for at, start in starts.items():
            consumer.seek(at, start)

    def poll(self, timeout_s: float, max_records: int = 500) -> Sequence[Record]:
        return polled(lambda: self._poll(timeout_s, max_records), self._stream, timeout_s)

    def _poll(self, timeout_s: float, max_records: int) -> list[Any]:
        batches = self._consumer.poll(timeout_ms=int(timeout_s * 1000), max_records=max_records)
        return [raw for batch in batches.values() for raw in batch]

    def caught_up(self) -> bool:
        """Goes by positions and not by records: the last offsets may be compacted away, transaction markers, or part of
        an aborted transaction. While a transaction from before the opening is undecided, the answer is no."""
        with translated(f"reading {self._stream}"):
            for at in list(self._behind):
                position = self._consumer.position(at, timeout_ms=0)
                if position is not None and position >= self._behind[at]:
                    del self._behind[at]
        return not self._behind

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=1_000)


def polled(poll: Callable[[], Iterable[Any]], stream: str, timeout_s: float) -> list[Record]:
    """Poll once. An error that time mends is waited for: it must not end a stage. Raises LogError for the others."""
    try:
        return [record_of(stream, raw) for raw in poll()]
    except KafkaError as error:
        if is_permanent(error):
            raise log_error(f"reading {stream}", error) from error
        _log.warning("reading %s goes on after %s: %s", stream, type(error).__name__, error)
        time.sleep(min(timeout_s, _BACK_OFF_S))
        return []
