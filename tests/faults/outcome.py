"""What a log holds in the end, in a form in which equal means equal in every bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from models.columns import Columns, Field
from models.profile import PROFILE_FIELDS
from models.recommendation import RECOMMENDATION_FIELDS
from profiler.slabs import COVER_KEY, Cover
from stream.columns_codec import decode_columns
from stream.contract import EventLog, Record
from stream.schemas import PRODUCER, SEQUENCE
from stream.streams import DEAD_LETTERS, EVENTS, PROFILES, RECOMMENDATIONS

Bits = dict[str, dict[str, bytes]]
"""By workload and field, the bytes of its row."""

_DECISION = frozenset(
    [
        "evidence_from_ms",
        "evidence_to_ms",
        "confidence",
        "action",
        "reasons",
        "request_now",
        "limit_now",
        "estimate",
        "target",
        "lower",
        "upper",
        "limit_target",
        "usage_p50",
        "usage_p95",
        "usage_peak",
        "expected_slack_ratio",
        "overrun_risk_ratio",
    ]
)
"""What a recommendation says. Besides, it remembers when which target stood: that tells which versions of the profile
were looked at, and so is a matter of time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`taken`: per partition, the newest sequence of each producer in its cover, in ascending order. `events`: how many
    different ones there are."""

    profiles: Bits
    recommendations: Bits
    taken: Mapping[int, list[int]]
    events: int


def outcome(log: EventLog) -> Outcome:
    profiles = newest(log, PROFILES)
    covers = {key: record for key, record in profiles.items() if key[1] == COVER_KEY}
    slabs = [record for key, record in profiles.items() if key[1] != COVER_KEY]
    return Outcome(
        _bits(slabs, PROFILE_FIELDS),
        recommendations(log),
        {partition: _taken(record) for (partition, _), record in sorted(covers.items())},
        len({(r.headers[PRODUCER], r.headers[SEQUENCE]) for r in read(log, EVENTS)}),
    )


def recommendations(log: EventLog) -> Bits:
    """What they say, without what they remember."""
    said = tuple(field for field in RECOMMENDATION_FIELDS if field.name in _DECISION)
    return _bits(newest(log, RECOMMENDATIONS).values(), said)


def count(bits: Bits, field: str) -> dict[str, int]:
    """An integer field by workload; arrays are summed up."""
    return {
        name: sum(int.from_bytes(fields[field][i : i + 8], "little") for i in range(0, len(fields[field]), 8))
        for name, fields in bits.items()
    }


def reasons(log: EventLog) -> Counter[str]:
    """Dead letters by reason."""
    return Counter(record.headers["reason"] for record in read(log, DEAD_LETTERS))


def newest(log: EventLog, stream: str) -> dict[tuple[int, str], Record]:
    """The newest message of each key of each partition, tombstones included."""
    return {(record.partition, record.key): record for record in read(log, stream)}


def read(log: EventLog, stream: str) -> Iterator[Record]:
    """Everything that is there."""
    reader = log.reader(stream)
    try:
        while not reader.caught_up():
            yield from reader.poll(0.5)
    finally:
        reader.close()


def _bits(slabs: Iterable[Record], table: tuple[Field, ...]) -> Bits:
    found: Bits = {}
    for record in slabs:
        if record.value is not None:
            for name, fields in _rows(decode_columns(record.value, table)):
                assert name not in found, f"{name} has two rows"
                found[name] = fields
    return found


def _rows(slab: Columns) -> Iterator[tuple[str, dict[str, bytes]]]:
    for row, name in enumerate(slab.workloads):
        yield name, {key: array[row].tobytes() for key, array in slab.arrays.items()}


def _taken(record: Record) -> list[int]:
    assert record.value is not None
    return sorted(taken.newest for taken in msgspec.json.decode(record.value, type=Cover).producers.values())
