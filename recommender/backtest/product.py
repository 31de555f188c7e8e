"""What the product would have set on each day: the experts at the target rate, and policy after them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.columns import Array
from recommender.backtest.ensemble import Learner, Target, day_quantiles
from recommender.backtest.replay import FLOOR, cap
from recommender.backtest.usage import Past
from recommender.sizing.experts.cold import cold_limits, is_cold
from recommender.sizing.experts.days import Days
from recommender.sizing.experts.hold import Held, HoldRule, hold
from recommender.sizing.settings import SizingPolicy


@dataclass(slots=True)
class Product:
    """As the recommender decides: under a week plain rules, then the experts; memory never under a peak of
    `memory_peak_days`; raised at once, lowered when it stood for `lower_interval_days`; small changes not made.

    What only a live system sees (OOM kills, throttling, growth of the running day) is left out.
    """

    policy: SizingPolicy
    learner: Learner
    _target: Target | None = None
    _held: Held | None = None
    name: str = field(default="sizewise", init=False)

    def decide(self, past: Past) -> Array:
        days = Days.newest(past.per_block(day_quantiles))
        wanted = np.where(is_cold(days), cold_limits(past.resource, days, FLOOR[past.resource], cap(past)), np.nan)
        wanted = np.where(np.isnan(wanted), self._experts(past), wanted)
        if past.resource == "memory":
            wanted = np.fmax(wanted, past.peak(self.policy.memory_peak_days))
        rest = round(self.policy.lower_interval_days)
        rule = HoldRule(self.policy.hysteresis_ratio, self.policy.hysteresis_ratio, rest)
        held = self._held or Held.nothing(len(past))
        self._held = hold(rule, held, wanted)
        if past.resource == "memory":  # a peak above the limit is answered however small the change
            short = self._held.limit < past.peak(self.policy.memory_peak_days)
            self._held = Held(np.where(short, wanted, self._held.limit), np.where(short, 0, self._held.age))
        return self._held.limit

    def _experts(self, past: Past) -> Array:
        memory = past.resource == "memory"
        rate = self.policy.memory_target_oom_days_ratio if memory else self.policy.cpu_target_throttled_ratio
        self._target = self._target or Target(self.learner, rate)
        return self._target.decide(past)
