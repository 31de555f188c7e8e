"""What a share of a GPU is worth, from the mix of requests: bid prices of a cutting-stock problem.

A pattern is a set of shares that fit on one GPU. The linear programme finds how many GPUs should take each pattern so
that the least is left unused while every size gets its part: minimise sum (1000 - value_p) y_p over GPUs y_p with
sum y_p <= G and L a_t <= sum_p n_pt y_p <= 1.3 a_t for expected arrivals a_t of size t. The price of a size is its
size plus the duals of its rows: 810 of 1000 is worth the whole GPU when nothing fills the rest. The value of what is
left on a GPU is the best that can still be sold there (unbounded knapsack).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.optimize import linprog

from recommender.placement.request import GPU_MILLI, Floats, Ints, Mix

_SMALLEST_MILLI = 100
"""Shares below it fit in every gap and only blow up the patterns (1,870 for 22 sizes with it)."""
_MOST_SIZES = 24
_BUCKET_MILLI = 50
"""With more sizes than that they are rounded up to 50 milli: at most 19 sizes of 100 milli and more are left."""
_WANTED, _LEAST_WANTED, _STEP = 0.95, 0.05, 0.02
_MOST = 1.3


def share_values(mix: Mix, gpus: int) -> Floats:
    """[1001] value of r milli free on one GPU; a wholly free GPU is worth at least 1000."""
    prices = share_prices(mix, gpus)
    value = np.zeros(GPU_MILLI + 1)
    for free in range(1, GPU_MILLI + 1):
        sold = [value[free - size] + price for size, price in prices.items() if size <= free]
        value[free] = max([value[free - 1], *sold])
    value[GPU_MILLI] = max(value[GPU_MILLI], GPU_MILLI)
    return value


def share_prices(mix: Mix, gpus: int) -> dict[int, float]:
    """Price in milli-GPU per share size in milli. Empty when nobody asks for shares."""
    arrivals = _arrivals(mix, gpus)
    if not arrivals:
        return {}
    sizes = sorted(arrivals)
    patterns = np.array([pattern for pattern in _patterns(sizes, GPU_MILLI) if any(pattern)])
    expected = np.array([arrivals[size] for size in sizes])
    lower, upper = _duals(patterns, np.array(sizes), expected, gpus)
    return {size: float(size + low - high) for size, low, high in zip(sizes, lower, upper, strict=True)}


def _arrivals(mix: Mix, gpus: int) -> Mapping[int, float]:
    """Expected number per size when requests as in the mix come until they ask for all GPUs once."""
    load = sum(w * r.total_gpu_milli for r, w in zip(mix.requests, mix.weights, strict=True)) / GPU_MILLI
    shares = [(r.gpu_milli, w) for r, w in zip(mix.requests, mix.weights, strict=True) if r.shared]
    wide = len({size for size, _ in shares}) > _MOST_SIZES
    found: dict[int, float] = {}
    for size, weight in shares:
        bucket = -(-size // _BUCKET_MILLI) * _BUCKET_MILLI if wide else size
        if _SMALLEST_MILLI <= bucket < GPU_MILLI:
            found[bucket] = found.get(bucket, 0.0) + weight * gpus / load
    return found


def _patterns(sizes: Sequence[int], room: int) -> Iterator[tuple[int, ...]]:
    if not sizes:
        yield ()
        return
    for count in range(room // sizes[0] + 1):
        for rest in _patterns(sizes[1:], room - count * sizes[0]):
            yield (count, *rest)


def _duals(patterns: Ints, sizes: Ints, expected: Floats, gpus: int) -> tuple[Floats, Floats]:
    """Duals of the lower and the upper rows. The wanted share of arrivals is lowered until it can be met."""
    unused = GPU_MILLI - patterns @ sizes
    rows = np.vstack([np.ones(len(patterns)), -patterns.T, patterns.T])
    for wanted in np.arange(_WANTED, _LEAST_WANTED, -_STEP):
        limits = np.concatenate([[gpus], -wanted * expected, _MOST * expected])
        found = linprog(unused, A_ub=rows, b_ub=limits, method="highs")
        if found.status == 0:
            duals = -found.ineqlin.marginals
            return duals[1 : 1 + len(sizes)], duals[1 + len(sizes) :]
    return np.zeros(len(sizes)), np.zeros(len(sizes))
