"""What became of changes: seen in telemetry, and proposed to be undone when they hurt."""

from __future__ import annotations

import numpy as np
import pytest

from models.columns import Columns
from models.reasons import Reason
from recommender.sizing.decide import decide
from recommender.sizing.told import Told
from tests.recommender.sizing.profiles import DAY_MS, GIB, NOW_MS, Workload, policy, profiles

NAN = float("nan")


def decided(request_gib: float, before: Columns | None = None, days_later: float = 0.0, **about: object) -> Columns:
    """1 GiB in use every day; `days_later` than NOW_MS, by the clock of the decision."""
    workload = Workload(memory=[GIB] * 8, signals={"memory_request_bytes": request_gib * GIB}, **about)  # type: ignore[arg-type]
    return decide(profiles(workload), before, policy(), at_ms=NOW_MS + int(days_later * DAY_MS))


def undone(result: Columns, resource: int) -> bool:
    return Reason.UNDO in Reason(int(result["reasons"][0, resource]))


def test_a_changed_request_is_remembered_with_the_one_before() -> None:
    """8 GiB, then 2, then 2: changed when 2 was seen first, from 8."""
    first = decided(8)
    second = decided(2, first, 1)
    third = decided(2, second, 2)
    assert np.isnan(first["request_before"][0, 1])
    assert third["request_before"][0, 1] == 8 * GIB
    assert third["request_changed_ms"][0, 1] == NOW_MS + DAY_MS


def test_a_rounded_request_is_no_change() -> None:
    """1 % is what cpu.weight rounds away."""
    assert decided(8.08, decided(8))["request_changed_ms"][0, 1] == 0


def test_a_lowered_request_that_was_followed_by_a_kill_is_given_back() -> None:
    """8 GiB to 2, killed a day later: 8 is proposed, with the reason. Without a kill it is not; nor when it was raised."""
    killed = {"oom_days_ago": -1.5, "oom_peak": 2 * GIB}
    lowered = decided(2, decided(8), 1)
    hurt = decided(2, lowered, 2, **killed)
    assert hurt["target"][0, 1] == 8 * GIB
    assert undone(hurt, 1)
    assert not undone(decided(2, lowered, 2), 1)
    raised = decided(8, decided(2), 1)
    assert not undone(decided(8, raised, 2, **killed), 1)


def test_a_kill_before_the_change_blames_nobody() -> None:
    lowered = decided(2, decided(8), 1)
    assert not undone(decided(2, lowered, 2, oom_days_ago=0.5, oom_peak=GIB), 1)


def test_the_proposal_ends_with_its_days() -> None:
    """15 days after the change 14 are over: the plain answer to the kill stands, (2 GiB * 1.2) * 1.15 = 2.76 GiB."""
    killed = {"oom_days_ago": -1.5, "oom_peak": 2 * GIB}
    lowered = decided(2, decided(8), 1)
    late = decided(2, lowered, 16, **killed)
    assert not undone(late, 1)
    assert late["estimate"][0, 1] == pytest.approx(2.76 * GIB)


def test_cpu_that_is_throttled_after_it_was_lowered_is_given_back() -> None:
    def cpu(cores: float, before: Columns | None = None, throttled: float = NAN) -> Columns:
        workload = Workload(cpu={0.5: 100}, signals={"cpu_request_cores": cores}, throttled=throttled)
        return decide(profiles(workload), before, policy(), at_ms=NOW_MS)

    hurt = cpu(1, cpu(4), throttled=0.3)
    assert hurt["target"][0, 0] == 4
    assert undone(hurt, 0)
    assert not undone(cpu(1, cpu(4), throttled=0.01), 0)


def told(killed: int = 0, throttled: int = 0, evicted: int = 0) -> Told:
    """Days after NOW_MS at which events told of it; 0: never."""
    times = ([NOW_MS + days * DAY_MS if days else 0] for days in (killed, throttled, evicted))
    return Told(*(np.array(time, dtype=np.int64) for time in times))


def heard(request_gib: float, before: Columns | None, said: Told) -> Columns:
    workload = Workload(
        cpu={0.5: 100},
        memory=[GIB] * 8,
        signals={"memory_request_bytes": request_gib * GIB, "cpu_request_cores": request_gib},
    )
    return decide(profiles(workload), before, policy(), at_ms=NOW_MS + 2 * DAY_MS, told=said)


def test_events_count_where_telemetry_cannot_see() -> None:
    """Both requests went from 8 to 2 on day 2, and an event of that day tells of a kill and of throttling: 8 again."""
    lowered = heard(2, heard(8, None, told()), told())
    hurt = heard(2, lowered, told(killed=2, throttled=2))
    assert undone(hurt, 0)
    assert undone(hurt, 1)
    assert hurt["target"][0].tolist() == [8, 8 * GIB]


def test_what_was_evicted_is_not_lowered_yet() -> None:
    """Two days after an eviction 8 GiB stay, of which 1.15 are needed; without one they go."""
    kept = heard(8, None, told(evicted=1))
    assert kept["target"][0, 1] == 8 * GIB
    assert Reason.EVICTED in Reason(int(kept["reasons"][0, 1]))
    assert heard(8, None, told())["target"][0, 1] < 8 * GIB
