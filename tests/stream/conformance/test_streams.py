"""Streams: created once, and never changed into something that loses data."""

from __future__ import annotations

import pytest

from stream.contract import EventLog, LogError, PartitionListener, StreamSpec
from stream.open import open_log
from stream.settings import LogSettings
from stream.streams import stream_specs
from tests.stream.conformance.members import Member, kept_a_day, numbered, read, send, values


def test_the_streams_of_the_house_can_be_made(log: EventLog) -> None:
    """Every stream of stream.streams, twice over: a role that starts does not know whether it is the first."""
    specs = stream_specs(2)
    log.ensure(specs)
    log.ensure(specs)
    assert {spec.name: log.partitions(spec.name) for spec in specs} == {spec.name: spec.partitions for spec in specs}


def test_a_stream_keeps_its_partitions(log: EventLog) -> None:
    """Asking for 8 later leaves 4: keys would move to other partitions and lose their order."""
    log.ensure([kept_a_day("in", 4)])
    log.ensure([kept_a_day("in", 8)])
    assert log.partitions("in") == 4


@pytest.mark.parametrize("first_compacted", [True, False])
def test_what_is_kept_cannot_be_turned_round(log: EventLog, first_compacted: bool) -> None:
    """State under retention would expire, and telemetry under compaction would vanish: both are refused."""
    compacted, aged = StreamSpec("in", 1, compacted=True), kept_a_day("in", 1)
    first, second = (compacted, aged) if first_compacted else (aged, compacted)
    log.ensure([first])
    with pytest.raises(LogError, match="in"):
        log.ensure([second])


@pytest.mark.parametrize(
    "spec", [StreamSpec("in", 1), StreamSpec("in", 0, compacted=True), StreamSpec("in", 1, True, 5)]
)
def test_a_spec_must_say_what_is_kept(log: EventLog, spec: StreamSpec) -> None:
    """Exactly one of compacted and retention_ms, and at least one partition."""
    with pytest.raises(LogError, match="in"):
        log.ensure([spec])


def test_a_stream_that_is_not_there_is_named(log: EventLog) -> None:
    """A typing error in a stream's name never makes a new stream."""
    with pytest.raises(LogError, match="nowhere"):
        log.partitions("nowhere")
    with pytest.raises(LogError, match="nowhere"):
        log.offsets("nowhere")
    with pytest.raises(LogError, match="nowhere"):
        log.reader("nowhere")
    with pytest.raises(LogError, match="nowhere"):
        send(log, "nowhere", numbered(1))
    with pytest.raises(LogError, match="nowhere"):
        Member(log, "g", "nowhere")


def test_offsets_show_what_is_there(log: EventLog) -> None:
    """Nothing at first; after three messages to partition 1 its next offset is 3 and the first one kept is 0."""
    log.ensure([kept_a_day("in", 2)])
    assert log.offsets("in") == {0: (0, 0), 1: (0, 0)}
    send(log, "in", numbered(3, partition=1))
    assert log.offsets("in") == {0: (0, 0), 1: (0, 3)}


def test_a_log_that_is_opened_again_has_everything(log: EventLog, log_settings: LogSettings) -> None:
    """Streams, messages and committed offsets belong to the log and not to the object."""
    log.ensure([kept_a_day("in", 1)])
    send(log, "in", numbered(3))
    member = Member(log, "g", "in")
    while member.next != {0: 3}:
        member.poll()
    member.subscription.commit({0: 2})
    member.subscription.close()
    again = open_log(log_settings)
    assert values(read(again, "in")) == [b"0", b"1", b"2"]
    assert again.committed("g", "in") == {0: 2}
    again.close()


def test_a_listener_is_any_object_of_the_right_shape(log: EventLog) -> None:
    """The protocol is structural; the suite's own member is one."""
    log.ensure([kept_a_day("in", 1)])
    member = Member(log, "g", "in")
    listener: PartitionListener = member
    assert listener.assigned([0]) == {}
    member.subscription.close()
