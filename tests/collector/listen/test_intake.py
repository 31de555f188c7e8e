"""What a sender can and cannot make us hold, and what a kill leaves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.listen.refusal import Fate, RequestRefusedError
from collector.listen_settings import ListenSettings
from tests.collector.listen.bodies import container
from tests.collector.listen.box import T0, Box, column, plain
from tests.collector.listen.conftest import MakeBox
from tests.collector.listen.test_rows import CPU, MEMORY, POD, STEP, every


def test_a_metric_that_is_no_signal_is_taken_and_forgotten(box: Box) -> None:
    """`up` is accepted, as sending it again would help nobody, and makes no series."""
    receipt = box.push([({"__name__": "up", "job": "node"}, [(T0, 1.0)])])
    assert (receipt.accepted, receipt.refused, receipt.fates) == (1, 0, {Fate.NOT_NEEDED: 1})


def test_times_far_from_now_are_refused_with_a_reason(box: Box) -> None:
    """A day and a second old, and five minutes and a second ahead; the sample between them is taken."""
    settings = ListenSettings()
    ancient = T0 - round(settings.max_age_s * 1000) - 1000
    future = T0 + round(settings.max_ahead_s * 1000) + 1000
    receipt = box.push([(container(CPU), [(time, 1.0)]) for time in (ancient, T0, future)])
    assert receipt.fates == {Fate.ANCIENT: 1, Fate.FUTURE: 1, Fate.WAITING: 1}
    assert "1 samples older than max_age_s; 1 samples further ahead" in receipt.reason()


@pytest.mark.parametrize(
    "labels",
    [
        {f"label_{i}": "x" for i in range(65)},
        {"x" * 4097: "y"},
        {"x": "y" * 4097},
        {"__name__": ""},
    ],
)
def test_label_floods_are_refused(box: Box, labels: dict[str, str]) -> None:
    """65 labels, a name or a value of 4,097 bytes, or no name of the metric."""
    receipt = box.push([(container(CPU) | labels, [(T0, 1.0)])])
    assert receipt.fates == {Fate.LABELS: 1}
    assert "max_labels" in receipt.reason()


def test_one_sender_cannot_take_the_room_of_all(make_box: MakeBox) -> None:
    """At most 3 series from one address and 4 in all: the known ones go on, another sender gets the fourth, and then
    nobody gets one, until the first three have been silent for an hour."""
    box = make_box(ListenSettings(max_sender_series=3, max_series=4))
    pods = [(container(CPU, f"pod-{i}"), [(T0, 1.0)]) for i in range(5)]
    assert box.push(pods).fates == {Fate.WAITING: 3, Fate.TOO_MANY_SERIES: 2}
    assert box.push(pods[:3]).fates == {Fate.WAITING: 3}
    assert box.push(pods[3:], sender="10.0.0.8").fates == {Fate.WAITING: 1, Fate.TOO_MANY_SERIES: 1}
    box.settled()
    box.now_ms = T0 + 3_601_000
    box.settled()
    later = [(labels, [(box.now_ms, 1.0)]) for labels, _ in pods]
    assert box.push(later).fates == {Fate.WAITING: 3, Fate.TOO_MANY_SERIES: 2}


def test_numbers_that_change_hands_are_not_confused(make_box: MakeBox) -> None:
    """A series falls silent and its number goes to another: neither the wire cache nor the standing of the first one
    reaches the second, and when the first comes back it starts anew."""
    box = make_box(ListenSettings(max_series=1))
    box.push(every(container(CPU, "a"), [0, 15]))
    assert len(box.settled()) == 1
    box.now_ms = T0 + 4_000_000
    box.settled()
    box.push(every(container(CPU, "b"), [1000, 1030], start_ms=box.now_ms))
    (row,) = box.settled()
    assert (row["cpu_cores"], "/b/" in str(row["workload"])) == (2.0, True)
    assert box.push(every(container(CPU, "a"), [0], start_ms=box.now_ms)).fates == {Fate.TOO_MANY_SERIES: 1}


def test_no_room_means_come_again(make_box: MakeBox) -> None:
    """The outbox is nearly full, or too many samples wait: 503 with Retry-After, and nothing was taken."""
    box = make_box(ListenSettings(max_waiting_samples=1))
    box.room = False
    with pytest.raises(RequestRefusedError) as refused:
        box.push(every(container(CPU), [0]))
    assert (refused.value.status, refused.value.retry_after_s) == (503, 10)
    box.room = True
    box.push(every(container(CPU), [0, 15]))
    with pytest.raises(RequestRefusedError, match="too much waits"):
        box.push(every(container(CPU), [0]))


def test_the_journal_forgets_what_is_saved(box: Box) -> None:
    """Ten readings, each saved: at most three periods are on disk, however long it runs."""
    for i in range(10):
        box.push(every(container(CPU), [15.0 * i], start_ms=T0 + i * STEP))
        box.rows()
        assert len(list(box.folder.glob("*.listen-*"))) <= 3


@given(st.lists(st.sampled_from(["push", "read", "save", "kill"]), min_size=1, max_size=40))
def test_killed_anywhere_nothing_is_lost_or_doubled(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    """Rows count when they are saved, in one transaction with the state, as the outbox does it. Whenever the process
    is killed, the saved rows are those of a process that was never killed."""
    with Box(tmp_path_factory.mktemp("killed")) as box:
        pushed, saved, unsaved = 0, list[object](), list[object]()
        for step in [*steps, "read", "read", "read", "save"]:
            if step == "push":
                push_both(box, pushed)
                pushed += 1
            elif step == "read":
                made = box.intake.rows(box.saved)
                unsaved += column(plain(made.batches, "cpu"), "memory_working_set_bytes")
            elif step == "save":
                box.saved, saved, unsaved = box.intake.state(), saved + unsaved, []
            else:
                box.intake.close()
                unsaved = []
                box.start()
    assert saved == [1e9 + i for i in range(1, pushed)]


def push_both(box: Box, number: int) -> None:
    at = T0 + number * STEP
    box.push([(container(CPU, POD), [(at, 15.0 * number)])])
    box.push([(container(MEMORY, POD), [(at, 1e9 + number)])])
