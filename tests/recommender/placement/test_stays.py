"""Replay of arrivals and departures: means over time, room that comes back, and nobody counted twice."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.placement.policies import BestFitPolicy
from recommender.placement.request import Request
from recommender.placement.stays import Stay, replay_stays
from tests.recommender.placement.clusters import cluster, requests, whole


def test_ratios_are_means_over_time() -> None:
    """One GPU. The first has it for 0 to 10 s, the second asks at 4 and would stay to 14, the third has it from 12 on. To
    the last arrival, at 20 s: used 10 + 8 of 20 s, asked for 10 + 10 + 8."""
    state = cluster((8, 8, 1))
    stays = [Stay(whole(1), 0, 10), Stay(whole(1), 4, 14), Stay(whole(1), 12, inf), Stay(Request(1, 1), 20, 21)]
    outcome = replay_stays(stays, state, BestFitPolicy(state))
    assert (outcome.allocated_ratio, outcome.asked_ratio) == (pytest.approx(18 / 20), pytest.approx(28 / 20))
    assert [(f.request, f.load_ratio) for f in outcome.failures] == [(whole(1), 2.0)]


def test_who_leaves_at_the_moment_of_an_arrival_makes_room_for_it() -> None:
    """The first leaves at 5 s, when the second comes."""
    state = cluster((8, 8, 1))
    assert replay_stays([Stay(whole(1), 0, 5), Stay(whole(1), 5, 9)], state, BestFitPolicy(state)).failures == ()


def test_nobody_and_a_moment_are_nothing() -> None:
    """No arrival, or all at once: no time passes."""
    for stays in ([], [Stay(whole(1), 3, 4)]):
        state = cluster((8, 8, 1))
        outcome = replay_stays(stays, state, BestFitPolicy(state))
        assert (outcome.allocated_ratio, outcome.asked_ratio, outcome.decisions) == (0, 0, len(stays))


@given(st.lists(st.tuples(requests, st.integers(0, 50), st.integers(0, 50)), max_size=30))
def test_once_all_have_left_everything_is_free(drawn: list[tuple[Request, int, int]]) -> None:
    """Whoever came in whatever order: free room is as in the beginning, and no more was used than asked for or there."""
    state, fresh = cluster((16, 16, 4), (64, 64, 8)), cluster((16, 16, 4), (64, 64, 8))
    stays = sorted((Stay(request, at, at + length) for request, at, length in drawn), key=lambda stay: stay.arrives_s)
    outcome = replay_stays([*stays, Stay(Request(0, 0), 200, 200)], state, BestFitPolicy(state))
    assert state.cpu_milli.tolist() == fresh.cpu_milli.tolist()
    assert state.gpu_milli.tolist() == fresh.gpu_milli.tolist()
    assert outcome.asked_ratio is not None
    assert 0 <= outcome.allocated_ratio <= min(outcome.asked_ratio, 1.0) + 1e-12
