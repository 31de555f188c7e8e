"""The outbox: what is in it survives, once; what does not fit goes, oldest first, and is counted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.outbox import Addressed, Outbox, OutboxError, stamped
from models.metrics import NullMeter
from stream.contract import Message
from tests.collector.metered import CountingMeter

MIB = 1 << 20


def some(*values: bytes) -> list[Addressed]:
    return [Addressed("telemetry", Message("p", value, {"schema": "x/1"}, 7, 3)) for value in values]


def open_outbox(folder: Path, max_bytes: int = MIB, meter: NullMeter | None = None) -> Outbox:
    return Outbox(folder / "outbox.db", max_bytes, meter or NullMeter())


def test_messages_come_back_in_order_with_increasing_numbers(tmp_path: Path) -> None:
    """Two puts, three messages: numbers 1, 2, 3, over both."""
    with open_outbox(tmp_path) as outbox:
        outbox.put(some(b"a", b"b"))
        outbox.put(some(b"c"))
        waiting = outbox.oldest(10, MIB)
        assert [(w.sequence, w.stream, w.message.value) for w in waiting] == [
            (1, "telemetry", b"a"),
            (2, "telemetry", b"b"),
            (3, "telemetry", b"c"),
        ]
        assert waiting[0].message == Message("p", b"a", {"schema": "x/1"}, 7, 3)


def test_a_message_goes_out_with_its_producer_and_number(tmp_path: Path) -> None:
    """By these a reader drops a repeat."""
    with open_outbox(tmp_path) as outbox:
        outbox.put(some(b"a"))
        headers = stamped(outbox.oldest(1, MIB)[0], outbox.producer).headers
        assert headers == {"schema": "x/1", "producer": outbox.producer, "sequence": "1"}


def test_a_reopened_outbox_has_messages_state_and_producer(tmp_path: Path) -> None:
    """And gives no number a second time, although all messages before were confirmed."""
    with open_outbox(tmp_path) as outbox:
        producer = outbox.producer
        outbox.put(some(b"a", b"b"), {"source/host": b"state"})
        outbox.confirm(2)
    with open_outbox(tmp_path) as outbox:
        assert (len(outbox), outbox.size_bytes, outbox.producer) == (0, 0, producer)
        assert outbox.state("source/host") == b"state"
        outbox.put(some(b"c"))
        assert [w.sequence for w in outbox.oldest(10, MIB)] == [3]


def test_two_processes_cannot_share_an_outbox(tmp_path: Path) -> None:
    """They would give one number to two messages; the error says what to do."""
    with open_outbox(tmp_path), pytest.raises(OutboxError, match=r"stop the other collector, or name another file"):
        open_outbox(tmp_path)


def test_an_outbox_of_another_producer_is_refused(tmp_path: Path) -> None:
    Outbox(tmp_path / "o.db", MIB, NullMeter(), producer="a").close()
    with pytest.raises(OutboxError, match=r"belongs to producer 'a', not 'b'"):
        Outbox(tmp_path / "o.db", MIB, NullMeter(), producer="b")


def test_a_file_that_is_no_outbox_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_text("not a database, and longer than a header of one" * 20)
    with pytest.raises(OutboxError, match=r"outbox .* cannot be opened"):
        open_outbox(tmp_path)


def test_over_the_bound_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    """A bound of 1 MiB holds three messages of 300,000 bytes: of five the first two go."""
    meter = CountingMeter()
    with open_outbox(tmp_path, MIB, meter) as outbox:
        for i in range(5):
            outbox.put(some(bytes([i]) * 300_000))
        assert [w.sequence for w in outbox.oldest(10, 10 * MIB)] == [3, 4, 5]
        assert outbox.size_bytes <= MIB
    assert meter.counts["sizewise_outbox_dropped_messages_total"] == 2


def test_a_discarded_message_is_counted_as_dropped(tmp_path: Path) -> None:
    meter = CountingMeter()
    with open_outbox(tmp_path, MIB, meter) as outbox:
        outbox.put(some(b"a", b"b"))
        outbox.discard(1)
        assert [w.sequence for w in outbox.oldest(10, MIB)] == [2]
    assert meter.counts["sizewise_outbox_dropped_messages_total"] == 1


def test_the_file_gives_its_space_back(tmp_path: Path) -> None:
    """After an outage of 4 MB is delivered, the file is small again within some deliveries."""
    with open_outbox(tmp_path, 16 * MIB) as outbox:
        for _ in range(40):
            outbox.put(some(bytes(100_000)))
        outbox.confirm(40)
        for i in range(20):
            outbox.put(some(b"x"))
            outbox.confirm(41 + i)
    assert (tmp_path / "outbox.db").stat().st_size < MIB


class Handing:
    """A lock that, when it was let go for the first time, lets another thread have its turn at once."""

    def __init__(self, turn: Callable[[], None]) -> None:
        self._lock, self._turns = threading.Lock(), [turn]

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()
        if self._turns:
            self._turns.pop()()


def test_what_waits_is_counted_right_when_it_is_confirmed_at_once(tmp_path: Path) -> None:
    """The sender confirms a message before the `put` that brought it has returned: nothing waits then. A count that
    stays too high keeps a replay waiting for ever, and makes an outbox drop what would fit."""
    with open_outbox(tmp_path) as outbox:
        outbox._lock = Handing(lambda: outbox.confirm(1))  # type: ignore[assignment]
        outbox.put(some(b"x"))
        assert (len(outbox), outbox.size_bytes) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 400_000), st.booleans()), max_size=20))
def test_the_bound_holds_and_only_the_oldest_are_missing(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bool]]
) -> None:
    """Puts of any size and confirmations in any order: at most the bound waits, and what waits is the newest run."""
    meter = CountingMeter()
    confirmed = 0
    with open_outbox(tmp_path_factory.mktemp("outbox"), MIB, meter) as outbox:
        for size, confirm in steps:
            outbox.put(some(bytes(size)))
            assert outbox.size_bytes <= MIB
            if confirm:
                sequence = outbox.oldest(1, MIB)[0].sequence
                outbox.confirm(sequence)
                confirmed += 1
        left = [w.sequence for w in outbox.oldest(100, 100 * MIB)]
    assert left == list(range(len(steps) - len(left) + 1, len(steps) + 1))
    assert len(left) + confirmed + meter.counts["sizewise_outbox_dropped_messages_total"] == len(steps)
