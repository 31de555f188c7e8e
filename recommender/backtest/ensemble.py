"""sizewise's expert ensemble as a policy. What it learns across workloads it learns from other workloads only."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.columns import Array
from recommender.backtest.replay import FLOOR, cap
from recommender.backtest.score import MIN_SAMPLES_RATIO
from recommender.backtest.usage import BlockReduction, Past, Resource, quantile, quantiles
from recommender.sizing.experts.calibrate import PRICES, Realised, meet, volatility_groups
from recommender.sizing.experts.catalogue import EXPERTS
from recommender.sizing.experts.days import LEVELS, Days
from recommender.sizing.experts.decide import Choice, Evidence, choose, evidence, sized_price
from recommender.sizing.experts.hold import CALM, Held, HoldRule, hold
from recommender.sizing.experts.in_place import WATCHED_HOURS, WATCHED_QUANTILE, follow
from recommender.sizing.experts.ledger import Ledger, Losses, held, losses
from recommender.sizing.experts.prior import Cuts, Prior, Traits

FOLDS = 5
LEARN_FROM_DAYS = 2
"""Decisions resting on fewer days are not charged to the experts: all their statistics are the same then."""

CALIBRATE_FROM_DAYS = 3
"""The rates of the prices are watched from here on, so that some are known at the first decision that counts."""


def day_quantiles(samples: Array) -> Array:
    """The summary of each day that the ensemble keeps, [n, days, 6]; NaN for a day with under half of its samples."""
    enough = np.sum(~np.isnan(samples), axis=2) >= samples.shape[2] * MIN_SAMPLES_RATIO
    return np.where(enough[..., None], quantiles(samples, LEVELS), np.nan)


@dataclass(slots=True)
class Learner:
    """The record of every expert, kept day by day; shared by the policies of every price of risk.

    A workload's prior comes from the four folds that it is not in (`leave_out`), as for a workload never seen before.
    """

    resource: Resource
    hold_days: int = 1
    leave_out: bool = True
    summary: BlockReduction = day_quantiles
    _known: dict[int, Evidence] = field(default_factory=dict)
    _traits: dict[int, Traits] = field(default_factory=dict)
    _ledger: Ledger | None = None
    _priors: list[Prior] = field(default_factory=list)
    _classes: Array | None = None
    _pending: list[Array] = field(default_factory=list)
    _seen: int = 0

    def evidence(self, past: Past) -> Evidence:
        """What is known of every expert before block `past.now`."""
        while self._seen < past.now:
            self._finish_day(Past(past.usage, self._seen + 1))
        return self._known[past.now]

    def traits(self, past: Past) -> Traits:
        self.evidence(past)
        return self._traits[past.now]

    def choice(self, past: Past, price: float, exponent: float = 0.0) -> Choice:
        """The blend at a price of risk; `exponent` as in `sized_price`."""
        prices = sized_price(self.resource, price, self.traits(past).level, exponent)
        return choose(self.resource, self.evidence(past), prices)

    def _finish_day(self, past: Past) -> None:
        """Charge the day that just ended to the limits set before it, then set new ones."""
        experts, folds = EXPERTS[self.resource], _folds(len(past), self.leave_out)
        summary = past.per_block(self.summary)
        ledger = self._ledger or Ledger.empty(len(past), len(experts))
        priors = self._priors or [Prior.empty(len(experts)) for _ in folds]
        if self._pending and self._classes is not None:
            day = held([losses(self.resource, summary[:, -1], limits) for limits in self._pending])
            ledger = ledger.after(day)
            priors = [
                prior.after(classes[~rows], _rows(day, ~rows)) if self.leave_out else prior.after(classes, day)
                for prior, classes, rows in zip(priors, self._classes, folds, strict=True)
            ]
        days = Days.newest(summary)
        limits, traits = experts.limits(days, FLOOR[self.resource], cap(past)), Traits.of(days, cap(past))
        self._classes = np.stack(
            [Cuts.of(traits.take(~rows if self.leave_out else rows)).classes(traits) for rows in folds]
        )
        self._known[past.now] = _by_fold(self.resource, limits, ledger, priors, self._classes, folds)
        self._traits[past.now] = traits
        if past.now >= LEARN_FROM_DAYS:
            self._pending = [*self._pending, limits][-self.hold_days :]
        self._ledger, self._priors, self._seen = ledger, priors, past.now


def _folds(n: int, leave_out: bool) -> list[Array]:
    """The rows of each fold; one fold of all rows when nobody is left out."""
    return [np.arange(n) % FOLDS == fold for fold in range(FOLDS)] if leave_out else [np.ones(n, dtype=bool)]


def _rows(day: Losses, rows: Array) -> Losses:
    return Losses(day.slack[rows], day.overrun[rows])


def _by_fold(
    resource: Resource, limits: Array, ledger: Ledger, priors: list[Prior], classes: Array, folds: list[Array]
) -> Evidence:
    """Each workload's evidence with the prior of its fold."""
    whole = Evidence(limits, np.empty_like(limits), np.empty_like(limits), np.empty(len(limits)))
    for prior, codes, rows in zip(priors, classes, folds, strict=True):
        part = Ledger(ledger.slack[rows], ledger.overrun[rows], ledger.weight[rows])
        known = evidence(resource, limits[rows], part, prior, codes[rows])
        whole.slack[rows], whole.overrun[rows], whole.own_share[rows] = known.slack, known.overrun, known.own_share
    return whole


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The blend of experts at one price of risk."""

    learner: Learner
    price: float
    exponent: float = 0.0

    @property
    def name(self) -> str:
        return f"sizewise λ={self.price:g}"

    def decide(self, past: Past) -> Array:
        return self.learner.choice(past, self.price, self.exponent).limit


@dataclass(slots=True)
class Calm:
    """The same with fewer changes."""

    inner: Ensemble
    rule: HoldRule = CALM
    _held: Held | None = None

    @property
    def name(self) -> str:
        return f"{self.inner.name} low churn"

    def decide(self, past: Past) -> Array:
        self._held = hold(self.rule, self._held or Held.nothing(len(past)), self.inner.decide(past))
        return self._held.limit


@dataclass(slots=True)
class InPlace:
    """CPU decided at every hour: the calm daily limit, raised within the day. For usage in blocks of an hour."""

    inner: Calm
    _limit: Array | None = None

    @property
    def name(self) -> str:
        return f"{self.inner.name} in place"

    def decide(self, past: Past) -> Array:
        if self._limit is None or past.now % past.per_day == 0:
            self._limit = self.inner.decide(past.finished_days())
        recent = quantile(past.samples(WATCHED_HOURS / 24), WATCHED_QUANTILE)
        self._limit = follow(self._limit, recent, cap(past))
        return self._limit


@dataclass(slots=True)
class Target:
    """The blend whose price of risk is found from the overruns of the last days, per group of volatility. rate: of all
    workloads, or of each, [n]."""

    learner: Learner
    rate: float | Array
    _realised: Realised | None = None
    _limits: Array | None = None
    _groups: Array | None = None

    @property
    def name(self) -> str:
        return f"sizewise target {np.mean(self.rate) * 100:g} %"

    def decide(self, past: Past) -> Array:
        first = CALIBRATE_FROM_DAYS if self._limits is None else past.now
        for now in range(min(first, past.now), past.now + 1):
            self._step(Past(past.usage, now))
        assert self._limits is not None
        return np.asarray(self._limits[:, -1])

    def groups(self) -> Array:
        """Volatility group of each workload at the last decision. [n]"""
        assert self._groups is not None, "groups are known after the first decision"
        return self._groups

    def _step(self, past: Past) -> None:
        realised = self._realised or Realised.empty(past.resource)
        if self._limits is not None and self._groups is not None:
            day = past.per_block(self.learner.summary)[:, -1]
            overrun = losses(past.resource, day, self._limits).overrun
            overrun[:, -1] /= self.rate
            realised = realised.after(overrun, self._groups)
        priced = np.stack([self.learner.choice(past, price).limit for price in PRICES[past.resource]], axis=1)
        priced = np.maximum(np.fmin(priced, cap(past)[:, None]), FLOOR[past.resource])
        self._groups = volatility_groups(self.learner.traits(past).volatility)
        limits = self._meet(past, realised, priced)
        self._limits, self._realised = np.concatenate([priced, limits[:, None]], axis=1), realised

    def _meet(self, past: Past, realised: Realised, priced: Array) -> Array:
        """Policies ask for few different rates."""
        assert self._groups is not None, "groups are known before limits"
        rates, limits = np.broadcast_to(self.rate, (len(past),)), np.empty(len(past))
        for rate in np.unique(rates):
            chosen = rates == rate
            limits[chosen] = meet(past.resource, float(rate), realised, self._groups[chosen], priced[chosen])
        return limits
