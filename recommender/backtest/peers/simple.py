"""Peers that are one formula: provisioned, fixed percentiles and maxima, KRR, Kruize, CAST AI, Crane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.columns import Array
from recommender.backtest.usage import Past, quantile


@dataclass(frozen=True, slots=True)
class Formula:
    """A policy without memory: a name and what it answers to a past."""

    name: str
    answer: Callable[[Past], Array]

    def decide(self, past: Past) -> Array:
        return self.answer(past)


def provisioned() -> Formula:
    """The size that was given, whatever is used."""
    return Formula("provisioned", lambda past: past.provisioned())


def maximum(days: float, margin: float, name: str = "") -> Formula:
    """Highest sample of the newest days, times a margin."""
    return Formula(name or f"max {days:g} d x{margin:g}", lambda past: past.peak(days) * margin)


def percentile(q: float, days: float, margin: float, name: str = "") -> Formula:
    """A percentile of the newest days, times a margin."""
    return Formula(
        name or f"P{q * 100:g} {days:g} d x{margin:g}", lambda past: quantile(past.samples(days), q) * margin
    )


def krr_memory() -> Formula:
    """KRR `simple`, memory: max of 14 days + 15 % (robusta_krr/strategies/simple.py)."""
    return maximum(14, 1.15, "KRR simple (max 14 d x1.15)")


def krr_cpu() -> Formula:
    """KRR `simple`, CPU: P95 of 14 days, no margin."""
    return percentile(0.95, 14, 1.0, "KRR simple (P95 14 d)")


def kruize_memory(days: int = 7) -> Formula:
    """Kruize: min(max x 1.2, max + 1.05 x the largest spike) over 15-minute intervals; spike = max - min of one."""
    return Formula(f"Kruize memory {days} d", lambda past: _kruize_memory(past, days))


def _kruize_memory(past: Past, days: int) -> Array:
    intervals = _quarter_hours(past, days)
    highest = np.fmax.reduce(intervals, axis=2)
    spike = np.fmax.reduce(highest - np.fmin.reduce(intervals, axis=2), axis=1)
    peak = np.fmax.reduce(highest, axis=1)
    return np.asarray(np.minimum(peak * 1.2, peak + 1.05 * spike))


def kruize_cpu(q: float, days: int = 7) -> Formula:
    """Kruize: below one core the maximum, else P60 (cost) or P98 (performance) of the 15-minute maxima."""
    return Formula(f"Kruize CPU P{q * 100:g} {days} d", lambda past: _kruize_cpu(past, days, q))


def _kruize_cpu(past: Past, days: int, q: float) -> Array:
    highest = np.fmax.reduce(_quarter_hours(past, days), axis=2)
    peak = np.fmax.reduce(highest, axis=1)
    return np.asarray(np.where(peak < 1, peak, quantile(highest, q)))


def _quarter_hours(past: Past, days: int) -> Array:
    samples = past.samples(days)
    return samples.reshape(len(past), -1, max(1, round(900 / past.slot_s)))


def plain(resource: str) -> list[Formula]:
    """The peers of this module for one resource, weakest first."""
    if resource == "memory":
        margins = [maximum(14, m) for m in (1.5, 2.0, 3.0)]
        crane = percentile(0.99, 7, 1.15, "Crane P99 7 d x1.15")
        return [provisioned(), krr_memory(), kruize_memory(), maximum(5, 1.1, "CAST AI max 5 d x1.1"), crane,
                maximum(7, 1.5), *margins]  # fmt: skip
    return [
        provisioned(),
        krr_cpu(),
        kruize_cpu(0.60),
        kruize_cpu(0.98),
        percentile(0.80, 5, 1.0, "CAST AI P80 5 d"),
        percentile(0.95, 7, 1.15),
        percentile(0.99, 7, 1.15, "Crane P99 7 d x1.15"),
    ]
