"""From kin to a number: a weighted median that falls back on the whole population, and how far it may be off.

An interval reaches factor * spread + the part of the population in the guess * what nine tenths of the population lie
within, either way: without kin it is at least as wide as for a workload picked blindly, however well others were guessed.

spread^2 = (mass * variance among kin + 0.25 * variance of the population) / (mass + 0.25), all in logarithms: many kin that
agree leave little, one alone leaves 0.45 of the population's spread. What a spread is worth in misses is calibrated in
`recommender.kin.calibrate`; the formula only says for which job the interval is wider.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.kin.calibrate import conformal

Floats = NDArray[np.float64]

_PRIOR_OF_GUESS = 0.05
"""Weight of the population's median, in workloads just like the job: it decides only where kin hardly resemble it."""
_PRIOR_OF_SPREAD = 0.25
_LEAST_SPREAD = 0.02
"""2 %: histograms and codes are no finer."""


@dataclass(frozen=True, slots=True)
class Population:
    """Median and variance of logarithms per quantity, [Q]; NaN where none is known. reach: how far from the median nine in
    ten lie, infinite for fewer than nine."""

    median: Floats
    variance: Floats
    reach: Floats

    @classmethod
    def of(cls, logs: Floats) -> Population:
        """logs [n, Q], NaN where not known."""
        median, variance = np.full(logs.shape[1], np.nan), np.full(logs.shape[1], np.nan)
        reach = np.full(logs.shape[1], np.inf)
        for q in range(logs.shape[1]):
            known = logs[:, q][~np.isnan(logs[:, q])]
            if len(known):
                median[q], variance[q] = np.median(known), max(float(known.var()), _LEAST_SPREAD**2)
                reach[q] = conformal(np.abs(known - median[q]))
        return cls(median, variance, reach)

    def or_else(self, other: Population) -> Population:
        """Where this knows nothing, the other."""
        blank = np.isnan(self.median)
        mixed = (
            np.where(blank, theirs, ours)
            for ours, theirs in (
                (self.median, other.median),
                (self.variance, other.variance),
                (self.reach, other.reach),
            )
        )
        return Population(*mixed)


@dataclass(frozen=True, slots=True)
class Guess:
    """middle and spread of logarithms; base: what the population adds to the interval either way; [Q] each."""

    middle: Floats
    spread: Floats
    base: Floats


def guess(logs: Floats, weights: Floats, population: Population) -> Guess:
    """logs, weights [k, Q] of kin: NaN and whatever weight where not known."""
    known = ~np.isnan(logs)
    weight = np.where(known, weights, 0.0)
    mass = weight.sum(axis=0)
    values = np.where(known, logs, 0.0)
    middle = np.where(mass > 0, _weighted_median(values, weight), population.median)
    around = np.divide((weight * (values - middle) ** 2).sum(axis=0), mass, out=np.zeros_like(mass), where=mass > 0)
    of_all = _PRIOR_OF_GUESS / (mass + _PRIOR_OF_GUESS)
    blended = (1 - of_all) * middle + of_all * population.median
    variance = (mass * around + _PRIOR_OF_SPREAD * population.variance) / (mass + _PRIOR_OF_SPREAD)
    return Guess(blended, np.sqrt(np.maximum(variance, _LEAST_SPREAD**2)), of_all * population.reach)


def _weighted_median(values: Floats, weights: Floats) -> Floats:
    """Of each column; the lower one where two share the middle."""
    if not len(values):
        return np.zeros(values.shape[1])
    order = np.argsort(values, axis=0, kind="stable")
    total = np.cumsum(np.take_along_axis(weights, order, 0), axis=0)
    at = np.argmax(total >= total[-1] / 2, axis=0)
    sorted_values = np.take_along_axis(values, order, 0)
    return np.asarray(sorted_values[at, np.arange(values.shape[1])])
