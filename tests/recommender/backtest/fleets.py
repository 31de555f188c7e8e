"""Small made-up fleets."""

from __future__ import annotations

import numpy as np

from recommender.backtest.usage import Resource, Usage

START_S = 1_375_315_200
"""2013-08-01 00:00 UTC."""


def fleet(resource: Resource, n: int = 15, days: int = 16, slots: int = 24, seed: int = 1) -> Usage:
    """Log-normal usage around a level of its own per workload, a tenth of the samples missing."""
    draw = np.random.default_rng(seed)
    unit = 1e9 if resource == "memory" else 1.0
    level = unit * np.exp(draw.normal(0, 1, (n, 1, 1)))
    samples = level * np.exp(draw.normal(0, 0.5, (n, days, slots)))
    samples[draw.random(samples.shape) < 0.1] = np.nan
    provisioned = np.broadcast_to(20 * level[:, :, 0], (n, days)).copy()
    return Usage(resource, [f"vm-{i}" for i in range(n)], samples, provisioned, START_S)


def usage(samples: object, resource: Resource = "memory", size: float = 1e12) -> Usage:
    """One workload from written-out samples [days][slots]."""
    values = np.array(samples, dtype=float)[None]
    return Usage(resource, ["vm-0"], values, np.full(values.shape[:2], size), START_S)
