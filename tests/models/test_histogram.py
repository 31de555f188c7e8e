"""Reading VPA's exponential histogram, by columns."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models import histogram
from models.histogram import BUCKETS, FIRST_BUCKET, RATIO

resources = st.sampled_from([0, 1])
counts = hnp.arrays(np.uint32, (3, BUCKETS), elements=st.integers(0, 5) | st.integers(0, 1 << 30))
values = st.floats(0, 2.0**43, width=32)


def start(bucket: int, first: float) -> float:
    """VPA: start(b) = first * (ratio^b - 1) / (ratio - 1)."""
    return first * (RATIO**bucket - 1) / (RATIO - 1)


def vpa_percentile(weights: np.ndarray, p: float, first: float) -> float:
    """VPA's loop, bucket by bucket."""
    total, cumulative = float(weights.sum()), 0.0
    for bucket, weight in enumerate(weights):
        cumulative += float(weight)
        if cumulative >= p * total:
            return start(bucket + 1 if bucket < BUCKETS - 1 else bucket, first)
    raise AssertionError("the sum of all is the total")


def test_176_buckets_are_what_vpa_derives_for_both_resources() -> None:
    """n = ceil(log_1.05(max * 0.05 / first + 1)) + 1; 1,000 cores over 0.01 is the same ratio as 1e12 B over 1e7."""
    for first, largest in zip(FIRST_BUCKET, (1000.0, 1e12), strict=True):
        assert math.ceil(math.log(largest * (RATIO - 1) / first + 1, RATIO)) + 1 == BUCKETS


@given(st.lists(values, min_size=1), resources)
def test_a_value_lies_in_its_bucket(samples: list[float], resource: int) -> None:
    """start(b) <= v < start(b + 1), on edges rounded to float32; the last bucket takes all above."""
    edges = histogram.starts(resource).astype(np.float32)
    column = np.array(samples, dtype=np.float32)
    buckets = histogram.bucket_of(column, resource)
    assert (edges[buckets] <= column).all()
    assert ((column < edges[buckets + 1]) | (buckets == BUCKETS - 1)).all()


@given(resources)
def test_an_edge_belongs_to_the_bucket_that_it_opens(resource: int) -> None:
    """bucket_of(start(b)) = b, and the float32 just under it lies in b - 1."""
    edges = histogram.starts(resource)[:-1].astype(np.float32)
    assert (histogram.bucket_of(edges, resource) == np.arange(BUCKETS)).all()
    below = np.nextafter(edges[1:], np.float32(0))
    assert (histogram.bucket_of(below, resource) == np.arange(BUCKETS - 1)).all()


@given(counts, st.floats(0.01, 1), resources)
def test_percentile_is_vpas_loop(weights: np.ndarray, p: float, resource: int) -> None:
    """The same bucket edge as adding up bucket by bucket; NaN where there is nothing."""
    found = histogram.percentile(weights, p, resource)
    for row, value in zip(weights, found, strict=True):
        if not row.any():
            assert math.isnan(value)
        else:
            assert value == pytest.approx(vpa_percentile(row, p, FIRST_BUCKET[resource]), rel=1e-12)


@given(hnp.arrays(np.float32, 50, elements=st.floats(0.125, 900, width=32)), st.integers(1, 50))
def test_quantile_is_within_a_bucket_of_the_sorted_sample(samples: np.ndarray, rank: int) -> None:
    """At p = (k - 1/2)/50 the k-th smallest of 50; a bucket is 5 % wide, and at 0.125 core 13 %, as widths start at 0.01."""
    weights = np.bincount(histogram.bucket_of(samples, 0), minlength=BUCKETS)[None]
    found = histogram.quantiles(weights, ((rank - 0.5) / 50,), 0, peak=samples.max())[0, 0]
    exact = np.sort(samples)[rank - 1]
    assert exact / 1.14 <= found <= exact * 1.14


def test_a_constant_series_has_its_value_as_every_upper_quantile() -> None:
    """0.37 core lies in a bucket that ends at 0.3889; interpolated quantiles stop at the peak."""
    weights = np.zeros((1, BUCKETS))
    weights[0, histogram.bucket_of(np.array([0.37], dtype=np.float32), 0)] = 10
    assert histogram.quantiles(weights, (0.99, 1.0), 0, peak=[0.37]).tolist() == [[0.37, 0.37]]


@given(counts, st.floats(0, 2000))
def test_the_share_above_a_limit_counts_whole_buckets_and_a_part_of_one(weights: np.ndarray, limit: float) -> None:
    """Weight of the buckets above, and of the limit's own bucket the part above the limit."""
    edges = histogram.starts(0)
    part = np.clip((edges[1:] - limit) / (edges[1:] - edges[:-1]), 0, 1)
    for row, share in zip(weights, histogram.share_above(weights, limit, 0), strict=True):
        total = row.sum(dtype=np.float64)
        if total == 0:
            assert math.isnan(share)
        else:
            assert share == pytest.approx((row * part).sum() / total, abs=1e-9)


@given(hnp.arrays(np.float64, 20, elements=st.floats(1e-5, 1e13)))
def test_log_codes_keep_a_value_to_a_thousandth(samples: np.ndarray) -> None:
    """A step is 2^(1/1000) = 1.0007; missing stays missing and zero stays zero."""
    assert np.allclose(histogram.from_log_code(histogram.to_log_code(samples)), samples, rtol=4e-4, atol=0)
    assert histogram.from_log_code(histogram.to_log_code(np.array([np.nan, 0.0]))).tolist()[1] == 0
    assert histogram.to_log_code(np.array([np.nan]))[0] == 0


def test_many_rows_are_read_as_single_ones_are() -> None:
    """Rows are summed up in chunks of 1,024; 2,500 rows cross two borders."""
    weights = np.random.default_rng(1).integers(0, 1 << 20, (2500, BUCKETS), dtype=np.uint32)
    together = histogram.percentiles(weights, (0.5, 0.95), 1)
    assert all(
        (histogram.percentiles(weights[i : i + 1], (0.5, 0.95), 1) == together[i]).all() for i in (0, 1023, 1024, 2499)
    )
