"""Why a limit is what it is, for one workload."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from recommender.sizing.experts.catalogue import Experts
from recommender.sizing.experts.decide import Choice, Evidence

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Carrier:
    """One of the experts that carried the decision."""

    expert: str
    weight: float
    limit: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """own_share: part of the evidence that is the workload's own; the rest is its class.
    slack, overrun: what the blend is expected to cost a day, shares 0 to 1."""

    carriers: tuple[Carrier, ...]
    own_share: float
    slack: float
    overrun: float


def explain(experts: Experts, known: Evidence, choice: Choice, row: int) -> Explanation:
    """The three heaviest experts of one workload and what is expected of the blend."""
    weights = choice.weights[row]
    shown = heaviest(weights[None])[0]
    carriers = (Carrier(experts.label(int(e)), float(weights[e]), float(known.limits[row, e])) for e in shown)
    return Explanation(
        tuple(carriers), float(known.own_share[row]), float(choice.slack[row]), float(choice.overrun[row])
    )


def heaviest(weights: Array) -> Array:
    """The numbers of the three heaviest experts of each row, heaviest first. [n, experts] to [n, 3]"""
    return np.argsort(-weights, axis=1, kind="stable")[:, :SHOWN]
