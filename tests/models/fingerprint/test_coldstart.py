"""Demand before the first run: guesses from kin, intervals that hold, wide when kin are few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fingerprint.coldstart import ColdStart, Job


def fleet(n: int, spread: float, seed: int = 0) -> tuple[list[Job], np.ndarray, list[str]]:
    """Images a and b need 4 and 16 GB at any size, give or take; groups of ten."""
    rng = np.random.default_rng(seed)
    images = ["a" if k % 2 else "b" for k in range(n)]
    needed = np.array([4e9 if image == "a" else 16e9 for image in images]) * np.exp(rng.normal(0, spread, n))
    return [Job({"image": i}, {"batch": 8.0}) for i in images], needed, [f"g{k // 10}" for k in range(n)]


def test_kin_decides() -> None:
    """Of two images with 4 and 16 GB, each job is guessed by its own."""
    learned = ColdStart.of(*fleet(100, 0.05))
    assert learned.expect(Job({"image": "a"}, {"batch": 8.0})).guess == pytest.approx(4e9, rel=0.05)
    assert learned.expect(Job({"image": "b"}, {"batch": 8.0})).guess == pytest.approx(16e9, rel=0.05)


def test_nearer_sizes_weigh_more() -> None:
    """Ten jobs with batch 1 need 1 GB, ten with batch 64 need 8 GB: a batch of 32 is guessed by the latter."""
    jobs = [Job({}, {"batch": 1.0})] * 10 + [Job({}, {"batch": 64.0})] * 10
    learned = ColdStart.of(jobs, np.array([1e9] * 10 + [8e9] * 10), ["g", "h"] * 10)
    assert learned.expect(Job({}, {"batch": 32.0})).guess == pytest.approx(8e9)


def test_the_interval_holds_on_groups_never_seen() -> None:
    """90 % intervals, learned from 200 jobs, over 200 jobs of new groups: 87 to 93 % on the average of eight fleets."""
    covered = []
    for seed in range(0, 16, 2):
        learned = ColdStart.of(*fleet(200, 0.3, seed))
        jobs, needed, _ = fleet(200, 0.3, seed + 1)
        expected = [learned.expect(job) for job in jobs]
        covered.append(np.mean([e.low <= value <= e.high for e, value in zip(expected, needed, strict=True)]))
    assert 0.87 < np.mean(covered) < 0.93


def test_the_interval_is_wide_when_kin_are_few() -> None:
    """Nobody of the size is known: never narrower than where somebody is. Eight jobs: it says nothing at all, as the
    conformal rank ceil(0.9 * 9) = 9 is past the eighth."""
    learned = ColdStart.of(*fleet(100, 0.1))
    usual, odd = (learned.expect(Job({"image": "a"}, {"batch": batch})) for batch in (8.0, 4096.0))
    assert 0 < usual.low < usual.high < np.inf
    assert odd.low < usual.low < usual.high < odd.high
    jobs, needed, _ = fleet(8, 0.1)
    few = ColdStart.of(jobs, needed, list("abcdefgh")).expect(jobs[0], most=40e9)
    assert (few.low, few.high) == (0.0, 40e9)


def test_one_group_alone_proves_nothing() -> None:
    """Nothing can be held out, so no width is known."""
    jobs, needed, _ = fleet(50, 0.1)
    assert ColdStart.of(jobs, needed, ["one"] * 50).expect(jobs[0]).high == np.inf


def test_what_nobody_had_counts_as_different_and_what_is_not_known_does_not() -> None:
    """An image never seen is kin to both alike; no image given is kin to all at full weight."""
    learned = ColdStart.of(*fleet(100, 0.05))
    new, none = learned.expect(Job({"image": "c"})), learned.expect(Job())
    assert new.kin == pytest.approx(100)
    assert none.kin == pytest.approx(100)
    assert learned.expect(Job({"image": "a"})).kin == pytest.approx((50 + 5) ** 2 / (50 + 0.5))


@given(st.lists(st.floats(1, 1e12), min_size=1, max_size=40), st.floats(1, 1e12))
@settings(max_examples=50)
def test_low_guess_high_are_in_order_and_within_the_bound(needed: list[float], most: float) -> None:
    """Whatever was learned."""
    jobs = [Job({"image": str(k % 3)}, {"batch": float(1 + k)}) for k in range(len(needed))]
    learned = ColdStart.of(jobs, np.array(needed), [str(k % 4) for k in range(len(needed))])
    expected = learned.expect(jobs[0], most)
    assert 0 <= expected.low <= expected.guess <= expected.high <= most


@pytest.mark.parametrize("needed", [[], [0.0], [-1.0]])
def test_nothing_and_nonsense_are_refused(needed: list[float]) -> None:
    """A demand of 0 has no logarithm: it was not measured."""
    with pytest.raises(ValueError, match="positive"):
        ColdStart.of([Job()] * len(needed), np.array(needed), ["g"] * len(needed))
