"""What a partition holds now, read once: how a stage restores its state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stream.contract import EventLog, Record


def read_all(log: EventLog, stream: str, partition: int) -> Iterator[Record]:
    """Everything that was in the partition when this was called, in order."""
    reader = log.reader(stream, {partition: log.offsets(stream)[partition][0]})
    try:
        while not reader.caught_up():
            yield from reader.poll(timeout_s=1.0)
    finally:
        reader.close()


def newest_by_key(records: Iterable[Record]) -> dict[str, Record]:
    """The newest message of each key; keys whose newest is a tombstone are left out."""
    newest: dict[str, Record] = {}
    for record in records:
        if record.value is None:
            newest.pop(record.key, None)
        else:
            newest[record.key] = record
    return newest


def newest_offsets(records: Iterable[Record]) -> dict[str, int]:
    """The same as offsets: of a stream with large messages no more than one is held at a time."""
    newest: dict[str, int] = {}
    for record in records:
        if record.value is None:
            newest.pop(record.key, None)
        else:
            newest[record.key] = record.offset
    return newest
