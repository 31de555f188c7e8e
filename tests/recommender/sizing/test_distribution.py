"""Quantiles and shares of decayed histograms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import histogram
from models.histogram import BUCKETS, starts
from models.profile import CPU, MEMORY
from recommender.sizing.distribution import Distribution

WEIGHTS = st.lists(
    st.tuples(st.integers(0, BUCKETS - 1), st.integers(1, 2**30)),
    min_size=1,
    max_size=8,
    unique_by=lambda pair: pair[0],
)
LEVELS = st.floats(0.01, 1.0)


def row(pairs: list[tuple[int, int]]) -> np.ndarray:
    weights = np.zeros((1, BUCKETS), dtype=np.uint32)
    for bucket, weight in pairs:
        weights[0, bucket] = weight
    return weights


def quantile(pairs: list[tuple[int, int]], level: float) -> float:
    return float(Distribution.of(row(pairs), CPU).quantiles(np.array([[level]]))[0, 0])


def test_quantile_is_linear_inside_its_bucket() -> None:
    """Weights 3 and 1 in buckets 0 = [0, 0.01) and 1 = [0.01, 0.0205).

    P50: 0.5 * 4 = 2 of 3 into bucket 0: 0.01 * 2/3. P75: its upper edge, 0.01.
    P90: 0.9 * 4 = 3.6, which is 0.6 into bucket 1: 0.01 + 0.6 * 0.0105 = 0.0163.
    """
    assert quantile([(0, 3), (1, 1)], 0.5) == pytest.approx(0.01 * 2 / 3)
    assert quantile([(0, 3), (1, 1)], 0.75) == pytest.approx(0.01)
    assert quantile([(0, 3), (1, 1)], 0.9) == pytest.approx(0.0163)


def test_share_above_is_the_inverse_of_the_quantile() -> None:
    """With 3 and 1 as above, 0.0163 is P90: a tenth of the weight is above it. Nothing is above 1,000,000 cores."""
    spread = Distribution.of(row([(0, 3), (1, 1)]), CPU)
    assert spread.share_above(np.array([0.0163]))[0] == pytest.approx(0.1)
    assert spread.share_above(np.array([1e6]))[0] == 0.0
    assert spread.share_above(np.array([0.0]))[0] == 1.0


def test_no_weight_and_no_limit_are_not_known() -> None:
    """An empty row has no quantile, and a limit that is not known has no share above it."""
    empty = Distribution.of(np.zeros((1, BUCKETS), dtype=np.uint32), MEMORY)
    assert np.isnan(empty.quantiles(np.array([[0.5]]))).all()
    assert np.isnan(empty.share_above(np.array([1.0]))).all()
    assert np.isnan(Distribution.of(row([(3, 1)]), CPU).share_above(np.array([np.nan]))).all()


@given(WEIGHTS, LEVELS)
def test_quantile_lies_in_the_bucket_that_vpa_finds(pairs: list[tuple[int, int]], level: float) -> None:
    """VPA answers the upper edge of the first bucket that reaches the level; the quantile lies in that bucket."""
    edges = starts(CPU)
    upper = histogram.percentile(row(pairs), level, CPU)[0]
    bucket = min(int(np.searchsorted(edges, upper)) - 1, BUCKETS - 1)
    value = quantile(pairs, level)
    if upper < edges[BUCKETS - 1]:  # of the last bucket VPA answers the lower edge
        assert edges[bucket] <= value <= upper * (1 + 1e-12)
    else:
        assert value >= edges[BUCKETS - 2]


@given(WEIGHTS, LEVELS, st.integers(0, 7), st.integers(1, 20))
def test_more_usage_never_gives_a_smaller_quantile(
    pairs: list[tuple[int, int]], level: float, which: int, higher: int
) -> None:
    """Moving the weight of one bucket to a higher one moves no quantile down."""
    bucket, weight = pairs[which % len(pairs)]
    moved = row([pair for pair in pairs if pair[0] != bucket])
    moved[0, min(bucket + higher, BUCKETS - 1)] += np.uint32(weight)
    after = float(Distribution.of(moved, CPU).quantiles(np.array([[level]]))[0, 0])
    assert after >= quantile(pairs, level) * (1 - 1e-9)


@given(WEIGHTS, LEVELS)
def test_share_above_its_quantile_is_the_rest(pairs: list[tuple[int, int]], level: float) -> None:
    """Where the distribution has weight all around, 1 - level of it is above its quantile."""
    spread = Distribution.of(row(pairs), CPU)
    above = spread.share_above(spread.quantiles(np.array([[level]]))[:, 0])[0]
    assert above == pytest.approx(1 - level, abs=1e-6)


@given(st.lists(WEIGHTS, min_size=2, max_size=6), LEVELS)
def test_a_row_does_not_depend_on_its_neighbours(rows: list[list[tuple[int, int]]], level: float) -> None:
    """Many rows at once give what each gives alone, bit for bit."""
    together = Distribution.of(np.concatenate([row(pairs) for pairs in rows]), CPU)
    alone = [quantile(pairs, level) for pairs in rows]
    assert together.quantiles(np.array([[level]]))[:, 0].tolist() == alone
