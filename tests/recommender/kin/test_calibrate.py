"""Intervals hold: by exchangeable draws, by hand, and whatever the shape of the miss."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.kin import JobFacts, KinIndex
from recommender.kin.calibrate import conformal, factors, sample, sample_of_each
from recommender.kin.guess import Population, guess
from tests.recommender.kin.fleets import fleet, job


def test_the_conformal_rank_by_hand() -> None:
    """19 scores 1 to 19: ceil(0.9 * 20) = 18, so the 18th smallest."""
    scores = np.arange(1.0, 20.0)[:, None]
    ones = np.ones_like(scores)
    assert factors(scores, ones, 0 * ones)[0] == 18
    assert factors(scores, 2 * ones, 4 * ones)[0] == 7  # (18 - 4) / 2
    assert factors(scores[:8], ones[:8], 0 * ones[:8])[0] == np.inf


@given(st.integers(0, 10_000), st.sampled_from(["normal", "skewed", "heavy"]))
@settings(max_examples=25, deadline=None)
def test_the_next_draw_is_covered_nine_times_in_ten(seed: int, shape: str) -> None:
    """Of exchangeable draws: the mean over 200 of whether the 100th lies within the factor of the 99 before is 0.9 within
    four standard errors, whatever they are drawn from."""
    rng = np.random.default_rng(seed)
    draws = {
        "normal": rng.standard_normal((200, 100)),
        "skewed": rng.standard_exponential((200, 100)),
        "heavy": rng.standard_t(2, (200, 100)),
    }
    scores = np.abs(draws[shape])
    covered = np.mean([score[99] <= conformal(score[:99]) for score in scores])
    assert abs(covered - 0.9) < 4 * np.sqrt(0.9 * 0.1 / 200)


def test_new_jobs_of_the_same_fleet_are_covered() -> None:
    """Ten programs of unlike demand, 400 known workloads and 300 new ones drawn alike: 86 to 94 % of the new ones lie in
    their interval, as four standard errors of 300 are 0.07, less what calibration on 256 scatters by."""
    rng = np.random.default_rng(3)
    program = rng.integers(0, 10, 700)
    cores = np.exp(program * 0.4 + rng.normal(0, 0.3, 700))
    ids = [job(f"p{chr(97 + p)}-{k}") for k, p in enumerate(program)]
    index = KinIndex.of(fleet(ids[:400], cores[:400], 1.0))
    found = [index.predict(JobFacts(ids[k])).demand["cpu_p50_cores"] for k in range(400, 700)]
    inside = [one.low <= cores[400 + k] <= one.high for k, one in enumerate(found)]
    assert 0.83 <= np.mean(inside) <= 0.97


@given(st.integers(1, 30), st.floats(0.01, 3), st.floats(0.05, 2))
def test_more_kin_that_agree_never_widen(n: int, weight: float, spread: float) -> None:
    """The spread falls with every further workload that says the same, and one alone leaves sqrt(0.25 / 1.25) = 0.45."""
    population = Population(np.zeros(1), np.array([spread**2]), np.array([spread]))
    spreads = [guess(np.ones((k, 1)), np.full((k, 1), weight), population).spread[0] for k in range(n + 1)]
    assert all(later <= before + 1e-12 for before, later in itertools.pairwise(spreads))
    alone = guess(np.ones((1, 1)), np.ones((1, 1)), population).spread[0]
    assert np.isclose(alone, max(0.02, spread * np.sqrt(0.25 / 1.25)))


def test_the_sample_is_even_and_bounded() -> None:
    assert sample(0).tolist() == []
    assert sample(3).tolist() == [0, 1, 2]
    assert len(sample(100_000)) == 256
    assert sample(100_000)[-1] == 99_999


def test_a_sample_of_each_takes_rare_groups_as_often() -> None:
    """1,000 of group 1, 50 of group 2, 3 of group 3: 85 at most of each, the small ones whole."""
    groups = np.array([1] * 1000 + [2] * 50 + [3] * 3)
    kinds, counts = np.unique(groups[sample_of_each(groups)], return_counts=True)
    assert kinds.tolist() == [1, 2, 3]
    assert counts.tolist() == [85, 50, 3]
    assert sample_of_each(np.empty(0, np.int64)).tolist() == []
