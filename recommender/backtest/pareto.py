"""Our curve against a peer's point: what we risk at its slack, what we leave unused at its risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.columns import Array
from recommender.backtest.score import Outcome, per_workload
from recommender.backtest.usage import Resource

SLACK, OVERRUN, THROTTLED, CHURN, LIMIT, P95 = range(6)
DRAWS = 400
SEED = 7


@dataclass(frozen=True, slots=True)
class Means:
    """values: [6, n]: slack, overrun, throttled, churn, limit and P95 of each workload over its days."""

    name: str
    values: Array

    @classmethod
    def of(cls, name: str, outcome: Outcome) -> Means:
        return cls(name, np.stack(per_workload(outcome)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours over theirs: risk and churn at equal slack, slack and reserved size at equal risk. NaN: out of our curve.

    `low` and `high` bound the risk ratio in 95 of 100 draws of workloads. Days are few and shocks hit many workloads
    on the same day, so the true interval is wider.
    """

    peer: str
    risk: float
    slack: float
    size: float
    churn: float
    low: float
    high: float


def compare(curve: Sequence[Means], peer: Means, resource: Resource) -> Comparison:
    """Interpolate our curve (one `Means` per price of risk) at the peer's point; log-linear in risk."""
    ours = np.stack([means.values for means in curve])
    risk, slack, size, churn = ratios(np.nanmean(ours, axis=2), np.nanmean(peer.values, axis=1), resource)
    draw = np.random.default_rng(SEED)
    n = peer.values.shape[1]
    drawn = [_drawn(ours, peer.values, np.asarray(draw.integers(n, size=n)), resource) for _ in range(DRAWS)]
    known = [value for value in drawn if not np.isnan(value)] or [float("nan")]
    low, high = np.quantile(known, (0.025, 0.975))
    return Comparison(peer.name, risk, slack, size, churn, float(low), float(high))


def _drawn(ours: Array, peer: Array, rows: Array, resource: Resource) -> float:
    return ratios(np.nanmean(ours[:, :, rows], axis=2), np.nanmean(peer[:, rows], axis=1), resource)[0]


def ratios(curve: Array, peer: Array, resource: Resource) -> tuple[float, float, float, float]:
    """Risk at equal slack, slack and size at equal risk (ours over theirs), and our churn at equal slack.

    curve [prices, 6], peer [6].
    """
    risk_row = OVERRUN if resource == "memory" else THROTTLED
    slack, risk = curve[:, SLACK], np.log(np.maximum(curve[:, risk_row], 1e-9))
    size = curve[:, LIMIT] / curve[:, P95]
    peer_slack, peer_risk = peer[SLACK], np.log(max(peer[risk_row], 1e-9))
    return (
        float(np.exp(_at(slack, risk, peer_slack) - peer_risk)),
        float(_at(risk, slack, peer_risk) / peer_slack),
        float(_at(risk, size, peer_risk) / (peer[LIMIT] / peer[P95])),
        float(_at(slack, curve[:, CHURN], peer_slack)),
    )


def _at(x: Array, y: Array, wanted: float) -> float:
    """y at x = wanted, linear between the points; NaN outside of them, never extrapolated."""
    order = np.argsort(x)
    return float(np.interp(wanted, x[order], y[order], left=np.nan, right=np.nan))
