"""The recommender on a real log: profiles in, recommendations out, over restarts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from models.columns import Columns
from models.events import WorkloadEvent
from models.metrics import NullMeter
from models.reasons import Reason
from recommender.recommendation_id import recommendation_id
from recommender.service import Recommender
from recommender.settings import RecommenderSettings
from recommender.sizing.settings import SizingPolicy
from stream.consume import ConsumeSettings
from stream.contract import EventLog, Message, Record
from stream.json_codec import decode_json, encode_json
from stream.open import open_log
from stream.read_all import newest_by_key, read_all
from stream.settings import LogSettings
from stream.streams import DEAD_LETTERS, EVENTS, PROFILES, RECOMMENDATIONS, stream_specs
from tests.recommender.sizing.profiles import DAY_MS, GIB, NOW_MS, Workload, profiles
from tests.recommender.slab_records import PARTITION, profile_message, recommendations

FAST = ConsumeSettings(commit_interval_s=0.02, poll_timeout_s=0.02)
SETTINGS = RecommenderSettings(consume=FAST)
WEB = profiles(Workload(cpu={0.5: 100}))
BUSY = profiles(Workload(cpu={2.0: 100}))
DEADLINE_S = 60.0


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    opened = open_log(LogSettings(f"sqlite:{tmp_path / 'log.db'}", sqlite_synchronous="normal"))
    opened.ensure(stream_specs(2))
    yield opened
    opened.close()


def publish(log: EventLog, messages: Sequence[Message]) -> None:
    writer = log.writer()
    writer.append(PROFILES, messages)
    writer.flush(10)
    writer.close()


@contextmanager
def recommender(log: EventLog, settings: RecommenderSettings = SETTINGS) -> Iterator[None]:
    """One recommender in a thread of its own; stopped, and its failure raised, at the end."""
    stop, failures = threading.Event(), []

    def run() -> None:
        try:
            Recommender(log, settings, NullMeter(), time.monotonic).run(stop)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert failures == []


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come; the deadline is only there to end a test that fails."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for did not come"
        time.sleep(0.01)


def newest(log: EventLog) -> dict[str, Record]:
    return newest_by_key(read_all(log, RECOMMENDATIONS, PARTITION))


def slab(log: EventLog, key: str) -> Columns:
    return recommendations(newest(log)[key].value)


def taken(log: EventLog) -> bool:
    """Whether everything in the profiles partition was decided and committed."""
    return log.committed(SETTINGS.group, PROFILES).get(PARTITION) == log.offsets(PROFILES)[PARTITION][1]


def test_profiles_become_recommendations(log: EventLog) -> None:
    """A slab of profiles comes out as a slab of recommendations under the same key, in the same partition."""
    publish(log, [profile_message("slab/0", WEB, time_ms=77)])
    with recommender(log):
        until(lambda: "slab/0" in newest(log))
    record = newest(log)["slab/0"]
    assert record.headers["schema"] == "recommendation/1"
    assert record.time_ms == 77
    assert slab(log, "slab/0")["target"][0, 0] == pytest.approx(0.575)
    assert taken(log)


def test_what_comes_later_is_decided_and_a_tombstone_removes(log: EventLog) -> None:
    publish(log, [profile_message("slab/0", WEB), profile_message("slab/1", WEB)])
    with recommender(log):
        until(lambda: len(newest(log)) == 2)
        publish(log, [profile_message("slab/0", BUSY), profile_message("slab/1", None)])
        until(lambda: list(newest(log)) == ["slab/0"])
    assert slab(log, "slab/0")["target"][0, 0] == pytest.approx(2.3)


def test_a_restart_goes_on_and_repeats_nothing(log: EventLog) -> None:
    """While it was away slab 1 changed: only that is written. The standing target of slab 0 is as it was."""
    publish(log, [profile_message("slab/0", WEB), profile_message("slab/1", WEB)])
    with recommender(log):
        until(lambda: len(newest(log)) == 2)
    before = {key: record.offset for key, record in newest(log).items()}
    publish(log, [profile_message("slab/1", BUSY)])
    with recommender(log):
        until(lambda: taken(log) and newest(log)["slab/1"].offset > before["slab/1"])
    assert newest(log)["slab/0"].offset == before["slab/0"]
    assert slab(log, "slab/1")["target"][0, 0] == pytest.approx(2.3)


def test_another_policy_is_applied_to_every_slab_at_the_next_start(log: EventLog) -> None:
    """Nothing new came in, but the floor is now 4 cores."""
    publish(log, [profile_message("slab/0", WEB)])
    with recommender(log):
        until(lambda: "slab/0" in newest(log))
    with recommender(log, RecommenderSettings(sizing=SizingPolicy(cpu_floor_cores=4.0), consume=FAST)):
        until(lambda: slab(log, "slab/0")["target"][0, 0] == 4.0)


def test_a_broken_slab_goes_to_dead_letters_and_the_rest_goes_on(log: EventLog) -> None:
    broken = Message("slab/0", b"not a frame", {"schema": "profile/1"}, 1, PARTITION)
    publish(log, [broken, profile_message("slab/1", WEB)])
    with recommender(log):
        until(lambda: taken(log) and "slab/1" in newest(log))
    (letter,) = read_all(log, DEAD_LETTERS, 0)
    assert letter.headers["reason"] == "malformed"
    assert letter.headers["stream"] == PROFILES
    assert list(newest(log)) == ["slab/1"]


def test_two_recommenders_share_the_partitions(log: EventLog) -> None:
    """Both run at once; every slab of both partitions is decided once they are through."""
    other = Message("slab/0", profile_message("slab/0", BUSY).value, {"schema": "profile/1"}, 1, 1)
    publish(log, [profile_message("slab/0", WEB), other])
    with recommender(log), recommender(log):
        until(lambda: all(newest_by_key(read_all(log, RECOMMENDATIONS, partition)) for partition in (0, 1)))
    values = [newest_by_key(read_all(log, RECOMMENDATIONS, p))["slab/0"].value for p in (0, 1)]
    assert [recommendations(value)["target"][0, 0] for value in values] == pytest.approx([0.575, 2.3])


def test_events_of_a_workload_reach_its_decision(log: EventLog) -> None:
    """An eviction is told in the events stream, before the profiles: 2 cores stay for now, though 0.575 would do. One that
    cannot be read is passed over."""
    workload = Workload(cpu={0.5: 100}, signals={"cpu_request_cores": 2.0})
    event = WorkloadEvent("evicted", workload.id, "web-1", "n1", NOW_MS)
    writer = log.writer()
    writer.append(
        EVENTS,
        [
            Message(workload.id, b"{", {"schema": "event/1"}, 1, PARTITION),
            Message(workload.id, encode_json(event), {"schema": "event/1"}, 1, PARTITION),
        ],
    )
    writer.append(PROFILES, [profile_message("slab/0", profiles(workload))])
    writer.flush(10)
    writer.close()
    with recommender(log):
        until(lambda: "slab/0" in newest(log))
    assert slab(log, "slab/0")["target"][0, 0] == 2.0
    assert Reason.EVICTED in Reason(int(slab(log, "slab/0")["reasons"][0, 0]))


def test_what_became_of_a_change_is_told_once_over_restarts(log: EventLog) -> None:
    """8 GiB are asked for; half is recommended, set a day later and killed the day after: one event says that it hurt, and
    neither a restart nor the next decision tells it again."""

    def day(number: int, gib: float, **about: float) -> Message:
        workload = Workload(memory=[GIB] * 8, signals={"memory_request_bytes": gib * GIB}, **about)
        rows = profiles(workload)
        rows["last_seen_ms"][:] += number * DAY_MS
        return profile_message("slab/0", rows, time_ms=number + 1)

    def told() -> list[WorkloadEvent]:
        return [decode_json(record.value, WorkloadEvent) for record in read_all(log, EVENTS, PARTITION)]

    steps = [day(0, 8), day(1, 4), day(2, 4, oom_days_ago=-1.5, oom_peak=4 * GIB), day(3, 4)]
    for number, step in enumerate(steps):
        publish(log, [step])
        with recommender(log):
            until(
                lambda number=number: (
                    newest(log).get("slab/0") is not None and newest(log)["slab/0"].time_ms == number + 1
                )
            )
    (event,) = told()
    assert (event.kind, event.details["result"], event.details["because"]) == ("outcome", "hurt", "oom-killed")
    assert event.details["recommendation"] == recommendation_id(event.workload, NOW_MS)


def test_an_autoscaler_that_was_seen_reaches_the_decision(log: EventLog) -> None:
    """The event comes before the profiles; CPU stays at 2 cores, though 0.575 would do."""
    workload = Workload(cpu={0.5: 100}, signals={"cpu_request_cores": 2.0})
    event = WorkloadEvent("autoscaler-seen", workload.id, "", "", NOW_MS, {"metric": "cpu", "autoscaler": "web"})
    writer = log.writer()
    writer.append(EVENTS, [Message(workload.id, encode_json(event), {"schema": "event/1"}, 1, PARTITION)])
    writer.append(PROFILES, [profile_message("slab/0", profiles(workload))])
    writer.flush(10)
    writer.close()
    with recommender(log):
        until(lambda: "slab/0" in newest(log))
    assert slab(log, "slab/0")["target"][0, 0] == 2.0
    assert Reason.AUTOSCALED in Reason(int(slab(log, "slab/0")["reasons"][0, 0]))
