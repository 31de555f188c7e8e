"""The slabs of one partition: what is decided, what is written, what is removed."""

from __future__ import annotations

import pytest

from recommender.sizing.policy_columns import PolicyTable
from recommender.sizing.settings import PolicyOverride, SizingPolicy
from recommender.slabs import Kept, Place, Slabs
from stream.contract import Message
from stream.dead_letters import BadMessageError
from tests.recommender.sizing.profiles import GIB, Workload, profiles
from tests.recommender.slab_records import PARTITION, own_record, profile_message, recommendations, record_of

PLACE = Place(PARTITION, 1)
POLICIES = PolicyTable(SizingPolicy())
WEB = Workload(cpu={0.5: 100}, id="prod/shop/Deployment/web/main")
BUSY = Workload(cpu={2.0: 100}, id=WEB.id)


def fresh() -> Slabs:
    return Slabs(PLACE, POLICIES, {}, Kept())


def decided(slabs: Slabs) -> list[Message]:
    return [decision.message for decision in slabs.decide()]


def test_of_several_versions_the_newest_is_decided() -> None:
    """Two versions of slab 0 before a commit make one message, from the newer: target 2.0 * 1.15."""
    slabs = fresh()
    slabs.take(record_of(profile_message("slab/0", profiles(WEB), 5), 0))
    slabs.take(record_of(profile_message("slab/0", profiles(BUSY), 6), 1))
    (message,) = decided(slabs)
    assert recommendations(message.value)["target"][0, 0] == pytest.approx(2.3)
    assert (message.key, message.partition, message.time_ms) == ("slab/0", PARTITION, 6)
    assert decided(slabs) == []


def test_a_decision_that_comes_out_the_same_is_not_written() -> None:
    """The same profiles again: nothing new to say."""
    slabs = fresh()
    slabs.take(record_of(profile_message("slab/0", profiles(WEB)), 0))
    assert len(decided(slabs)) == 1
    slabs.take(record_of(profile_message("slab/0", profiles(WEB)), 1))
    assert decided(slabs) == []


def test_replaying_the_same_messages_gives_the_same_bytes() -> None:
    runs = []
    for _ in range(2):
        slabs = fresh()
        messages = []
        for offset, workload in enumerate((WEB, BUSY, WEB)):
            slabs.take(record_of(profile_message("slab/0", profiles(workload)), offset))
            messages += decided(slabs)
        runs.append(messages)
    assert runs[0] == runs[1]


def test_a_tombstone_removes_the_recommendation() -> None:
    slabs = fresh()
    slabs.take(record_of(profile_message("slab/0", profiles(WEB)), 0))
    decided(slabs)
    slabs.take(record_of(profile_message("slab/0", None, 9), 1))
    (tombstone,) = decided(slabs)
    assert (tombstone.key, tombstone.value, tombstone.time_ms) == ("slab/0", None, 9)


def test_a_slab_that_was_compacted_away_is_removed() -> None:
    """Recommendations of slab 7 stand, but its profiles are gone and so is their tombstone."""
    slabs = fresh()
    slabs.take(record_of(profile_message("slab/7", profiles(WEB)), 0))
    (message,) = decided(slabs)
    again = Slabs(PLACE, POLICIES, {}, Kept({"slab/7": own_record(message)}))
    assert [(m.key, m.value) for m in decided(again)] == [("slab/7", None)]


def test_a_restart_reads_on_from_the_oldest_slab_that_counts() -> None:
    """Newest versions at offsets 4 and 9: go on from 4; the older version of slab 1 at 5 is passed over."""
    slabs = Slabs(PLACE, POLICIES, {"slab/0": 4, "slab/1": 9, "cover": 2}, Kept({}))
    assert slabs.next_offset == 4
    slabs.take(record_of(profile_message("slab/1", profiles(BUSY)), 5))
    assert decided(slabs) == []
    slabs.take(record_of(profile_message("slab/1", profiles(WEB)), 9))
    assert [message.key for message in decided(slabs)] == ["slab/1"]


def test_an_empty_partition_has_no_offset_of_its_own() -> None:
    assert fresh().next_offset is None


def test_a_restart_with_the_same_policy_writes_nothing_and_with_another_it_does() -> None:
    record = record_of(profile_message("slab/0", profiles(WEB)), 0)
    slabs = fresh()
    slabs.take(record)
    (message,) = decided(slabs)
    own = {"slab/0": own_record(message)}
    same = Slabs(PLACE, POLICIES, {"slab/0": record.offset}, Kept(own))
    same.take(record)
    assert decided(same) == []
    floor = PolicyTable(SizingPolicy(), (PolicyOverride("prod/shop/*", {"cpu_floor_cores": 4.0}),))
    other = Slabs(PLACE, floor, {"slab/0": record.offset}, Kept(own))
    other.take(record)
    (changed,) = decided(other)
    assert recommendations(changed.value)["target"][0, 0] == 4.0


def test_what_stands_is_remembered_over_a_restart() -> None:
    """A standing target of 1.15 GiB holds when usage asks for 4 % less, though the process is a new one."""
    slabs = fresh()
    slabs.take(record_of(profile_message("slab/0", profiles(Workload(memory=[GIB]))), 0))
    (message,) = decided(slabs)
    less = record_of(profile_message("slab/0", profiles(Workload(memory=[0.96 * GIB]))), 1)
    again = Slabs(PLACE, POLICIES, {"slab/0": less.offset}, Kept({"slab/0": own_record(message)}))
    again.take(less)
    (kept,) = decided(again)
    assert recommendations(kept.value)["target"][0, 1] == pytest.approx(1.15 * GIB)


def test_an_unreadable_recommendation_is_decided_anew() -> None:
    record = record_of(profile_message("slab/0", profiles(WEB)), 0)
    broken = own_record(Message("slab/0", b"not a frame"))
    slabs = Slabs(PLACE, POLICIES, {"slab/0": record.offset}, Kept({"slab/0": broken}))
    slabs.take(record)
    assert [message.key for message in decided(slabs)] == ["slab/0"]


@pytest.mark.parametrize(
    "message",
    [
        Message("slab/0", b"not a frame", {"schema": "profile/1"}),
        Message("slab/0", b"", {"schema": "profile/2"}),
        Message("slab/0", b"", {}),
    ],
)
def test_a_message_that_cannot_be_read_changes_nothing(message: Message) -> None:
    slabs = fresh()
    with pytest.raises(BadMessageError):
        slabs.take(record_of(message, 0))
    assert decided(slabs) == []


def test_other_keys_of_the_stream_are_passed_over() -> None:
    slabs = fresh()
    slabs.take(record_of(Message("cover", b"{}", {"schema": "cover/1"}), 0))
    assert decided(slabs) == []


def test_policy_is_resolved_again_when_a_slab_grows() -> None:
    """A second workload joins the slab, and an override is meant for it alone."""
    table = PolicyTable(SizingPolicy(), (PolicyOverride("*/api/main", {"cpu_floor_cores": 4.0}),))
    slabs = Slabs(PLACE, table, {}, Kept())
    slabs.take(record_of(profile_message("slab/0", profiles(WEB)), 0))
    decided(slabs)
    api = Workload(cpu={0.5: 100}, id="prod/shop/Deployment/api/main")
    slabs.take(record_of(profile_message("slab/0", profiles(WEB, api)), 1))
    (message,) = decided(slabs)
    assert recommendations(message.value)["target"][:, 0].tolist() == pytest.approx([0.575, 4.0])
