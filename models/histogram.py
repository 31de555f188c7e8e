"""VPA's exponential histogram: its buckets, and what can be read from counts in them. Columns in, columns out.

Kubernetes VPA, pkg/recommender/util/histogram.go and model/types.go: bucket b covers [start(b), start(b+1)) with
start(b) = first * (1.05^b - 1) / 0.05; first is 0.01 core and 1e7 bytes; 176 buckets reach 1,000 cores and 1e12 bytes.
Weights halve every 24 h.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BUCKETS = 176
RATIO = 1.05
FIRST_BUCKET: tuple[float, float] = (0.01, 1e7)
"""Upper edge of bucket 0, in cores and bytes, in the order of models.profile.RESOURCES."""
HALF_LIFE_MS = 86_400_000

Floats = NDArray[np.float64]
Counts = NDArray[Any]
"""Weights per bucket, [n, BUCKETS]; any integer or float type."""

_CHUNK = 1024
"""Rows summed up at a time: 1,024 * 176 float64 are 1.4 MB and stay in the second-level cache."""

LOG_FLOOR = -20.0
LOG_STEPS = 1000
"""A log code is 1 + round((log2(v) + 20) * 1000): two bytes for 1e-6 to 3.5e13 with steps of 0.07 %; 0 means missing."""


def starts(resource: int) -> Floats:
    """Lower edges of all buckets and, last, the edge above the last bucket: [BUCKETS + 1]."""
    edges = FIRST_BUCKET[resource] * (RATIO ** np.arange(BUCKETS + 1, dtype=np.float64) - 1) / (RATIO - 1)
    edges[1] = FIRST_BUCKET[resource]  # (1.05 - 1) / 0.05 is not exactly 1
    return edges


_STARTS = (starts(0), starts(1))
_EDGES = tuple(edges[:-1].astype(np.float32) for edges in _STARTS)


def _bucket_guesses(edges: NDArray[np.float32]) -> NDArray[np.uint8]:
    """For the upper 16 bits of every float32, the bucket of the smallest float32 that has them.

    Those bits hold sign, exponent and 7 bits of mantissa: steps of at most 1/128, finer than a bucket, so that the
    true bucket is the guess or the next one."""
    values = (np.arange(1 << 16, dtype=np.uint32) << 16).view(np.float32)
    guesses = np.searchsorted(edges, values, side="right") - 1
    return np.clip(guesses, 0, BUCKETS - 1).astype(np.uint8)


_GUESSES = tuple(_bucket_guesses(edges) for edges in _EDGES)
_NEXT_EDGE = tuple(np.append(edges[1:], np.float32(np.inf)) for edges in _EDGES)


def bucket_of(values: NDArray[np.float32], resource: int) -> NDArray[np.intp]:
    """The bucket of each value; values past the last edge are in the last one. Values must not be negative or NaN.

    A table and one comparison instead of a logarithm: the same on every machine, as partitions move between machines
    and a logarithm may differ in its last bit, and 5 times as fast."""
    guess: NDArray[np.intp] = _GUESSES[resource][values.view(np.uint32) >> 16].astype(np.intp)
    guess += values >= _NEXT_EDGE[resource][guess]
    return guess


def percentile(histograms: Counts, p: float, resource: int) -> Floats:
    """VPA's percentile of each row, [n]: the upper edge of the first bucket at which the cumulative weight reaches
    p of the total (of the last bucket: its lower edge). NaN where a row is empty."""
    return percentiles(histograms, (p,), resource)[:, 0]


def percentiles(histograms: Counts, ps: Sequence[float], resource: int) -> Floats:
    """`percentile` for several p at once, [n, len(ps)]: the cumulative weights are summed up once."""
    read = np.minimum(np.arange(BUCKETS) + 1, BUCKETS - 1)
    upper = _STARTS[resource][read]
    out = np.full((len(histograms), len(ps)), np.nan)
    for rows, cumulative in _cumulative(histograms):
        total = cumulative[:, -1]
        for column, p in enumerate(ps):
            out[rows, column] = upper[_reached(cumulative, p * total)]
        out[rows][total <= 0] = np.nan
    return out


def quantiles(histograms: Counts, ps: Sequence[float], resource: int, peak: ArrayLike = np.inf) -> Floats:
    """Quantiles [n, len(ps)], linear inside a bucket and never above the row's `peak`; NaN where a row is empty.

    The edge that `percentile` returns is up to 5 % above the true value; this is within 5 % either way and unbiased,
    and for a constant series it is the constant."""
    edges = _STARTS[resource]
    highest = np.broadcast_to(np.asarray(peak, dtype=np.float64), (len(histograms),))
    out = np.full((len(histograms), len(ps)), np.nan)
    for rows, cumulative in _cumulative(histograms):
        total = cumulative[:, -1]
        for column, p in enumerate(ps):
            bucket = _reached(cumulative, p * total)
            here = np.take_along_axis(cumulative, bucket[:, None], 1)[:, 0]
            before = np.where(
                bucket > 0, np.take_along_axis(cumulative, np.maximum(bucket - 1, 0)[:, None], 1)[:, 0], 0
            )
            share = (p * total - before) / np.where(here > before, here - before, 1)
            value = edges[bucket] + np.clip(share, 0, 1) * (edges[bucket + 1] - edges[bucket])
            out[rows, column] = np.minimum(value, highest[rows])
        out[rows][total <= 0] = np.nan
    return out


def share_above(histograms: Counts, limits: ArrayLike, resource: int) -> Floats:
    """The share of each row's weight above its limit, [n], linear inside the bucket; NaN where a row is empty."""
    edges = _STARTS[resource]
    limit = np.broadcast_to(np.asarray(limits, dtype=np.float64), (len(histograms),))
    bucket = np.clip(np.searchsorted(edges, limit, side="right") - 1, 0, BUCKETS - 1)
    inside = np.clip((edges[bucket + 1] - limit) / (edges[bucket + 1] - edges[bucket]), 0, 1)
    out = np.full(len(histograms), np.nan)
    for rows, cumulative in _cumulative(histograms):
        total, at = cumulative[:, -1], bucket[rows, None]
        here = np.take_along_axis(cumulative, at, 1)[:, 0]
        before = np.where(at[:, 0] > 0, np.take_along_axis(cumulative, np.maximum(at - 1, 0), 1)[:, 0], 0)
        above = total - here + inside[rows] * (here - before)
        out[rows] = np.where(total > 0, above / np.where(total > 0, total, 1), np.nan)
    return out


def _cumulative(histograms: Counts) -> Iterator[tuple[slice, Floats]]:
    """Cumulative weights, a chunk of rows at a time."""
    for start in range(0, len(histograms), _CHUNK):
        rows = slice(start, min(start + _CHUNK, len(histograms)))
        yield rows, np.cumsum(histograms[rows], axis=1, dtype=np.float64)


def _reached(cumulative: Floats, threshold: Floats) -> NDArray[np.intp]:
    """The first bucket of each row whose cumulative weight is at least the threshold."""
    below: NDArray[np.intp] = np.count_nonzero(cumulative < threshold[:, None], axis=1).astype(np.intp)
    return np.minimum(below, BUCKETS - 1, out=below)


def to_log_code(values: Floats) -> NDArray[np.uint16]:
    """Log codes of values; NaN becomes 0."""
    with np.errstate(divide="ignore"):
        steps = np.rint((np.log2(values) - LOG_FLOOR) * LOG_STEPS)
    coded = np.clip(steps, 0, (1 << 16) - 2) + 1
    return np.where(np.isnan(values), 0, coded).astype(np.uint16)


def from_log_code(codes: NDArray[np.uint16]) -> Floats:
    """Values of log codes; 0 becomes NaN and the lowest code 0."""
    values = np.exp2((codes.astype(np.float64) - 1) / LOG_STEPS + LOG_FLOOR)
    return np.where(codes == 0, np.nan, np.where(codes == 1, 0.0, values))
