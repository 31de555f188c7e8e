"""The list index against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fingerprint.match import ListIndex


def brute(points: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """Sorted distances, [n, k]."""
    apart = np.linalg.norm(queries[:, None, :].astype(np.float64) - points[None], axis=2)
    return np.asarray(np.sort(apart, axis=1)[:, :k])


@given(st.integers(1, 300), st.integers(1, 20), st.integers(1, 12), st.integers(0, 9))
@settings(max_examples=40)
def test_few_points_are_searched_exactly(m: int, k: int, d: int, seed: int) -> None:
    """Distances are those of brute force, and belong to the places that are returned."""
    rng = np.random.default_rng(seed)
    points, queries = rng.normal(size=(m, d)).astype(np.float32), rng.normal(size=(7, d)).astype(np.float32)
    k = min(k, m)
    places, distances = ListIndex.build(points).nearest(queries, k)
    np.testing.assert_allclose(distances, brute(points, queries, k), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(
        np.linalg.norm(points[places] - queries[:, None], axis=2), distances, rtol=1e-4, atol=1e-5
    )


def test_many_points_in_clusters_are_found_by_lists() -> None:
    """6,000 points in 60 clusters: the true nearest in over 98 % of 100 queries."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(60, 8)) * 3
    points = (centres[rng.integers(0, 60, 6000)] + rng.normal(size=(6000, 8))).astype(np.float32)
    queries = points[:100] + rng.normal(size=(100, 8)).astype(np.float32) * 0.3
    places, distances = ListIndex.build(points).nearest(queries, 1)
    assert np.mean(distances[:, 0] <= brute(points, queries, 1)[:, 0] + 1e-4) > 0.98
    assert places.shape == (100, 1)


def test_a_known_point_is_at_distance_0_from_itself() -> None:
    """Also far from the origin, where a difference of squares would leave a rest."""
    points = (np.random.default_rng(1).normal(size=(5000, 10)) + 1000).astype(np.float32)
    places, distances = ListIndex.build(points).nearest(points[:50], 1)
    assert places[:, 0].tolist() == list(range(50))
    assert distances.max() == 0


def test_all_equal_points_still_give_k_of_them() -> None:
    """5,000 equal points crowd one list; 64 different places are found."""
    places, _ = ListIndex.build(np.ones((5000, 3), np.float32)).nearest(np.ones((2, 3)), 64)
    assert [len(set(row)) for row in places.tolist()] == [64, 64]


def test_more_neighbours_than_the_lists_hold_are_looked_for_in_all() -> None:
    """Eight lists of about 71 points hold 570: for 2,000 neighbours every point is compared."""
    points = np.random.default_rng(2).normal(size=(5000, 4)).astype(np.float32)
    places, distances = ListIndex.build(points).nearest(points[:3], 2000)
    np.testing.assert_allclose(distances, brute(points, points[:3], 2000), rtol=1e-3, atol=1e-3)
    assert len(set(places[0].tolist())) == 2000


def test_no_queries_give_no_answers() -> None:
    """[0, k]."""
    places, distances = ListIndex.build(np.ones((3, 2))).nearest(np.empty((0, 2)), 2)
    assert (places.shape, distances.shape) == ((0, 2), (0, 2))


@pytest.mark.parametrize("m", [10, 5000])
def test_the_same_points_give_the_same_index(m: int) -> None:
    """Nothing depends on a clock or on global random state."""
    points = np.random.default_rng(3).normal(size=(m, 4)).astype(np.float32)
    one, other = ListIndex.build(points), ListIndex.build(points)
    np.testing.assert_array_equal(one.place, other.place)
