"""Messages on the wire: ours to Kafka's and back.

The timestamp of a record is the broker's, because retention goes by it; a time of the message's own travels in a header.
"""

from __future__ import annotations

from typing import Any

from stream.contract import Message, Record

_TIME = "time-ms"


def wire_headers(message: Message) -> list[tuple[str, bytes]]:
    headers = [(name, value.encode()) for name, value in message.headers.items()]
    if message.time_ms:
        headers.append((_TIME, b"%d" % message.time_ms))
    return headers


def record_of(stream: str, raw: Any) -> Record:
    """Other programs may write to a topic: what is no UTF-8 is replaced, so that the stage and not the log refuses it."""
    headers = {name: (value or b"").decode(errors="replace") for name, value in raw.headers}
    time = headers.pop(_TIME, "")
    return Record(
        stream=stream,
        partition=raw.partition,
        offset=raw.offset,
        key=(raw.key or b"").decode(errors="replace"),
        value=raw.value,
        headers=headers,
        time_ms=int(time) if time.isascii() and time.isdigit() and len(time) < 19 else raw.timestamp,
    )
