"""Messages that nobody should send, one of each kind and many at random, and what each must be called."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from models.signals import SIGNALS
from models.telemetry import TelemetryBatch
from models.workload import partition_of
from stream import schemas
from stream.contract import Message
from stream.telemetry_encoder import encode_telemetry

HOUR_MS = 3_600_000
PRODUCER = "stranger"
WORKLOAD = "prod/shop/Deployment/stranger/main"
TERABYTE_BOMB = b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little")
"""A zstd frame that declares a terabyte."""

Named = tuple[str, Message]
"""A reason, and the message that must be refused for it."""


class Stranger:
    """A producer whose good messages are numbered 10, 20, 30, ..., so that there is room between them."""

    def __init__(self, now_ms: int, partitions: int) -> None:
        self.now_ms = now_ms
        self._partition = partition_of(WORKLOAD, partitions)
        self._number = 0
        self.good_rows = 0

    def good(self, rows: int = 5) -> Message:
        """One that counts."""
        self._number += 10
        self.good_rows += rows
        return self.message(self._number, [self.now_ms - HOUR_MS // 2 + self._number * 100 + i for i in range(rows)])

    def message(self, sequence: int, times_ms: Sequence[int], cores: float = 1.0) -> Message:
        n = len(times_ms)
        keys = {"workload": [WORKLOAD] * n, "instance": ["stranger-0"] * n}
        signals = {"cpu_cores": [cores] * n, "memory_working_set_bytes": [1e9] * n}
        value = encode_telemetry(TelemetryBatch("cpu", keys, times_ms, [1000] * n, signals))
        headers = {
            schemas.SCHEMA: schemas.TELEMETRY["cpu"],
            schemas.PRODUCER: PRODUCER,
            schemas.SEQUENCE: str(sequence),
        }
        return Message(PRODUCER, value, headers, self.now_ms, self._partition)

    def one_of_each(self) -> Iterator[Named]:
        """To be sent in this order, after a good message."""
        now, number = self.now_ms, self._number + 1
        fine = self.message(number, [now - HOUR_MS // 4])
        value = fine.value or b""
        yield "malformed", replace(fine, value=b"not a frame")
        yield "malformed", replace(fine, value=b"")
        yield "malformed", replace(fine, value=None)
        yield "malformed", replace(fine, headers={})
        yield "malformed", _with(fine, sequence="minus one")
        yield "malformed", _with(fine, producer="x" * 300)
        yield "malformed", replace(fine, value=value + b"and more")
        yield "truncated", replace(fine, value=value[: len(value) // 2])
        yield "oversized", replace(fine, value=TERABYTE_BOMB)
        yield "unknown-schema", _with(fine, schema="telemetry.cpu/99")
        yield "future", replace(fine, time_ms=now + HOUR_MS)
        yield "ancient", replace(fine, time_ms=now - 401 * 24 * HOUR_MS)
        yield "future", self.message(number, [now + HOUR_MS])
        yield "ancient", self.message(number + 1, [now - 401 * 24 * HOUR_MS])
        yield "out-of-range", self.message(number + 2, [now], cores=SIGNALS["cpu"][0].high * 2)
        yield "late", self.message(number + 4, [now - 5 * HOUR_MS])
        yield "out-of-order", self.message(number + 3, [now])
        yield "duplicate", self.message(number + 4, [now])

    def torn(self, count: int, seed: int) -> Iterator[Message]:
        """A message whose number is due, cut at random places: malformed or truncated, and its number stays due."""
        chance, fine = random.Random(seed), self.message(self._number + 1, [self.now_ms])
        value = fine.value or b""
        for _ in range(count):
            yield replace(fine, value=value[: chance.randrange(len(value))])


def expected(named: Sequence[Named]) -> Counter[str]:
    return Counter(reason for reason, _ in named)


def _with(message: Message, **headers: str) -> Message:
    return replace(message, headers={**message.headers, **headers})
