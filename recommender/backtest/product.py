"""What the product would have set on each day: the experts at the target rate, and policy after them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.columns import Array
from recommender.backtest.ensemble import Learner, Target, day_quantiles
from recommender.backtest.replay import FLOOR, cap
from recommender.backtest.usage import Past
from recommender.sizing.experts.cold import MARGIN, cold_limits, is_cold
from recommender.sizing.experts.days import Days
from recommender.sizing.experts.hold import Held, HoldRule, hold
from recommender.sizing.policy_columns import AUTOSCALED, PolicyColumns

_PEAK_DAYS, _OVERRUN = "memory_peak_days", "memory_overrun_days_ratio"
_RATE = {"memory": "memory_target_oom_days_ratio", "cpu": "cpu_target_throttled_ratio"}
_UNIT = {"memory": "bytes", "cpu": "cores"}


@dataclass(slots=True)
class Product:
    """As the recommender decides, by the policy of each workload: under a week plain rules, then the experts; memory never
    under a peak that policy keeps; raised at once, lowered when it stood for `lower_interval_days`; small changes not made;
    what an autoscaler follows by policy stays as it is; floors and caps.

    What only a live system sees (OOM kills, throttling, starts, growth of the running day) is left out.
    """

    policy: PolicyColumns
    learner: Learner
    _target: Target | None = None
    _held: Held | None = None
    name: str = field(default="sizewise", init=False)

    def decide(self, past: Past) -> Array:
        policy, days = self.policy, Days.newest(past.per_block(day_quantiles))
        wanted = np.where(is_cold(days), self._cold(past, days), np.nan)
        wanted = np.where(np.isnan(wanted), self._experts(past), wanted)
        if past.resource == "memory":
            wanted = np.fmax(wanted, kept_peak(past, policy))
        small = policy["hysteresis_ratio"]
        rule = HoldRule(small, small, np.rint(policy["lower_interval_days"]))
        self._held = hold(rule, self._held or Held.nothing(len(past)), wanted)
        if past.resource == "memory":  # a peak above the limit is answered however small the change
            short = self._held.limit < kept_peak(past, policy)
            self._held = Held(np.where(short, wanted, self._held.limit), np.where(short, 0, self._held.age))
        return self._within(past, self._held.limit)

    def _cold(self, past: Past, days: Days) -> Array:
        """The plain rule with the margin of policy."""
        plain = cold_limits(past.resource, days, FLOOR[past.resource], cap(past))
        return np.asarray(plain / MARGIN * (1 + self.policy[f"{past.resource}_margin_ratio"]))

    def _experts(self, past: Past) -> Array:
        self._target = self._target or Target(self.learner, self.policy[_RATE[past.resource]])
        return self._target.decide(past)

    def _within(self, past: Past, limit: Array) -> Array:
        name, unit, followed = past.resource, _UNIT[past.resource], self.policy["autoscaled"]
        bounded = np.clip(limit, self.policy[f"{name}_floor_{unit}"], self.policy[f"{name}_cap_{unit}"])
        left_alone = (followed == AUTOSCALED.index("both")) | (followed == AUTOSCALED.index(name))
        return np.where(left_alone, past.provisioned(), bounded)


def kept_peak(past: Past, policy: PolicyColumns) -> Array:
    """The highest daily peak of `memory_peak_days` that `memory_overrun_days_ratio` does not allow to be exceeded, [n]."""
    peaks = past.peaks()
    age = np.arange(peaks.shape[1])[::-1]
    falling = -np.sort(-np.where(age < policy.both(_PEAK_DAYS), peaks, np.nan), axis=1)  # NaN last
    known = np.count_nonzero(~np.isnan(falling), axis=1)
    skipped = np.floor(policy[_OVERRUN] * known + 1e-9).astype(np.intp)
    place = np.minimum(skipped, np.maximum(known - 1, 0))
    return np.asarray(np.take_along_axis(falling, place[:, None], axis=1)[:, 0])
