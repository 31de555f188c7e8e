"""Messages of the profiles stream for tests."""

from __future__ import annotations

from models.columns import Columns
from models.recommendation import RECOMMENDATION_FIELDS
from stream import schemas
from stream.columns_codec import decode_columns, encode_columns
from stream.contract import Message, Record
from stream.streams import PROFILES, RECOMMENDATIONS

PARTITION = 0


def profile_message(key: str, profiles: Columns | None, time_ms: int = 1) -> Message:
    value = None if profiles is None else encode_columns(profiles)
    return Message(key, value, {schemas.SCHEMA: schemas.PROFILE}, time_ms, PARTITION)


def record_of(message: Message, offset: int, stream: str = PROFILES) -> Record:
    """The message as a reader would get it."""
    return Record(stream, PARTITION, offset, message.key, message.value, message.headers, message.time_ms)


def own_record(message: Message, offset: int = 0) -> Record:
    return record_of(message, offset, RECOMMENDATIONS)


def recommendations(value: bytes | None) -> Columns:
    return decode_columns(value, RECOMMENDATION_FIELDS)
