"""The streams of the house: names, keys, what is kept."""

from __future__ import annotations

from stream.contract import StreamSpec

TELEMETRY = "telemetry"
INVENTORY = "inventory"
EVENTS = "events"
PROFILES = "profiles"
RECOMMENDATIONS = "recommendations"
RECORDS = "records"
FLEET = "fleet"
DEAD_LETTERS = "dead-letters"
AUDIT = "audit"
TOKENS = "tokens"

_DAY_MS = 86_400_000


def stream_specs(partitions: int) -> tuple[StreamSpec, ...]:
    """Every stream. Telemetry, events, profiles, recommendations and records share `partitions`, so that a workload has
    the same partition in each of them and a stage finds its own state in the partition that it owns."""
    return (
        StreamSpec(TELEMETRY, partitions, retention_ms=_DAY_MS, max_message_bytes=1 << 20),
        StreamSpec(EVENTS, partitions, retention_ms=30 * _DAY_MS),
        StreamSpec(INVENTORY, 1, compacted=True),
        StreamSpec(PROFILES, partitions, compacted=True, max_message_bytes=8 << 20),
        StreamSpec(RECOMMENDATIONS, partitions, compacted=True, max_message_bytes=8 << 20),
        StreamSpec(RECORDS, partitions, compacted=True, max_message_bytes=8 << 20),
        StreamSpec(FLEET, 1, compacted=True),
        StreamSpec(DEAD_LETTERS, 1, retention_ms=7 * _DAY_MS, max_message_bytes=2 << 20),
        StreamSpec(AUDIT, 1, retention_ms=90 * _DAY_MS),
        StreamSpec(TOKENS, 1, compacted=True),
    )
