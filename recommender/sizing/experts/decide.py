"""From records to a limit: expected cost of each expert, weights, and their geometric mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.columns import Array
from recommender.sizing.experts.catalogue import Resource
from recommender.sizing.experts.ledger import Ledger
from recommender.sizing.experts.prior import Prior

PRIOR_DAYS: Mapping[Resource, float] = {"cpu": 10.0, "memory": 15.0}
"""Days of own record that weigh as much as the class. 8 to 30 differ by 0.3 % of slack."""
TEMPERATURE: Mapping[Resource, float] = {"cpu": 0.005, "memory": 0.012}
"""How much more an expert may be expected to cost and still weigh 1/e of the best. The blend saves 1 point of slack
over the single best expert; for memory 0.015 saves 1 % more bytes and costs 2 to 4 % more OOM-days."""

REFERENCE: Mapping[Resource, float] = {"cpu": 1.0, "memory": float(1 << 30)}
"""One core and one GiB: the size at which the price is the plain one."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is expected of every expert before a day, [n, experts], and how much of it is the workload's own record, [n]."""

    limits: Array
    slack: Array
    overrun: Array
    own_share: Array


@dataclass(frozen=True, slots=True)
class Choice:
    """limit, expected slack and expected overrun, [n]; weights of the experts, [n, experts], of sum 1."""

    limit: Array
    slack: Array
    overrun: Array
    weights: Array


def evidence(resource: Resource, limits: Array, ledger: Ledger, prior: Prior, classes: Array) -> Evidence:
    """Own record and class prior, mixed as if the prior were PRIOR_DAYS days of own record."""
    days = PRIOR_DAYS[resource]
    slack, overrun = prior.means()
    behind = (ledger.weight + days)[:, None]
    return Evidence(
        limits,
        (ledger.slack + days * slack[classes]) / behind,
        (ledger.overrun + days * overrun[classes]) / behind,
        ledger.weight / behind[:, 0],
    )


def sized_price(resource: Resource, price: float, level: Array, exponent: float) -> Array:
    """Prices for saving money: a workload ten times as large pays 10 ** -exponent of the price of risk. [n]

    `level` [n]: log of the 7-day peak; an unknown one pays the plain price. Relative slack treats 50 MB and 30 GB alike;
    an exponent of 0.1 takes 3 to 8 % off the reserved bytes for 8 to 17 % more OOM-days at equal slack (memory).
    """
    relative = np.nan_to_num(level - np.log(REFERENCE[resource]))
    return np.asarray(price * np.exp(-exponent * relative))


def choose(resource: Resource, known: Evidence, price: float | Array) -> Choice:
    """The blend at a price of risk: lambda, how many points of slack one point of overruns is worth; scalar or [n]."""
    price = np.broadcast_to(np.asarray(price, dtype=float), (len(known.limits),))[:, None]
    cost = known.slack + price * known.overrun
    # a high price makes every difference larger, so memory's blend widens with it
    temperature = TEMPERATURE[resource] * (np.sqrt(1 + price) if resource == "memory" else 1.0)
    weights = np.exp((cost.min(axis=1, keepdims=True) - cost) / temperature)
    weights /= weights.sum(axis=1, keepdims=True)
    return Choice(
        np.asarray(np.exp((weights * np.log(known.limits)).sum(axis=1))),
        (weights * known.slack).sum(axis=1),
        (weights * known.overrun).sum(axis=1),
        weights,
    )
