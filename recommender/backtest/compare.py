"""The product beside its peers on one fleet: what each would have reserved, wasted and risked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from recommender.backtest.ensemble import Learner
from recommender.backtest.peers.catalogue import rivals
from recommender.backtest.peers.simple import provisioned
from recommender.backtest.product import Product
from recommender.backtest.replay import WARM_UP_DAYS, SizingPolicy, replay
from recommender.backtest.score import Outcome, outcome, score
from recommender.backtest.usage import Resource, Usage
from recommender.sizing.policy_columns import PolicyTable

MIN_DAYS = 2
OURS, NOW = "sizewise", "as requested"
_NAMES = {"krr": "KRR simple", "vpa": "VPA target", "autopilot": "Autopilot moving window"}


@dataclass(frozen=True, slots=True)
class Result:
    """One policy on one resource. reserved: mean over days of the sum of limits, cores or bytes; risk_ratio: memory, share
    of workload-days with usage above the limit, CPU, share of time; risk_days: those workload-days; churn_ratio: changes
    over 5 % per workload-day."""

    policy: str
    resource: Resource
    reserved: float
    slack_ratio: float
    risk_ratio: float
    risk_days: int
    churn_ratio: float

    def record(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Backtest:
    """results: ours first; days: those decided for; workload_days: those scored."""

    resource: Resource
    workloads: int
    days: int
    workload_days: int
    warm_up_days: int
    results: list[Result]

    def of(self, policy: str) -> Result | None:
        return next((result for result in self.results if result.policy == policy), None)


def warm_up_days(days: int) -> int:
    """Days that are only looked at: a week where there is more than a week, else half of them."""
    return WARM_UP_DAYS if days > WARM_UP_DAYS + 1 else max(1, days // 2)


def compare(usage: Usage, table: PolicyTable, tick: Callable[[str], None] = lambda _: None) -> Backtest:
    """Replay ours and the peers, a decision a day. Raises ValueError for under MIN_DAYS days, or
    days of which too little was seen."""
    if usage.blocks < MIN_DAYS:
        raise ValueError(f"there are {usage.blocks} days of {usage.resource}; a backtest needs at least {MIN_DAYS}")
    first = warm_up_days(usage.blocks)
    results, days = [], 0
    for name, one in policies(usage, table).items():
        tick(name)
        done = outcome(replay(one, usage, first), usage)
        results.append(_result(name, usage.resource, done))
        days = int(np.sum(~np.isnan(done.overrun)))
    if not days:
        raise ValueError(f"no day of {usage.resource} after the first {first} has half of its samples")
    return Backtest(usage.resource, len(usage.workloads), usage.blocks - first, days, first, results)


def policies(usage: Usage, table: PolicyTable) -> Mapping[str, SizingPolicy]:
    """Ours by the policy of each workload, the present requests where any is known, and the peers (VPA also without its
    defect on memory)."""
    found: dict[str, SizingPolicy] = {
        OURS: Product(table.columns(usage.workloads), Learner(usage.resource, leave_out=len(usage.workloads) >= 20))
    }
    if not np.isnan(usage.provisioned).all():
        found[NOW] = provisioned()
    for name, variants in rivals(usage.resource).items():
        found |= dict(zip((_NAMES[name], f"{_NAMES[name]} without its defect"), variants, strict=False))
    return found


def _result(name: str, resource: Resource, done: Outcome) -> Result:
    found = score(done)
    reserved = float(np.nanmean(np.nansum(done.limit[:, :, 0], axis=0)))
    over = int(np.nansum(done.overrun))
    churn = 0.0 if np.isnan(found.churn) else found.churn
    return Result(name, resource, reserved, found.slack, found.risk(resource), over, churn)


def verdict(done: Backtest, show: Callable[[float], str]) -> Iterator[str]:
    """Plain sentences. `show` writes an amount of the resource."""
    ours, now = done.of(OURS), done.of(NOW)
    assert ours is not None, "ours is always replayed"
    what = {"cpu": "CPU", "memory": "memory"}[done.resource]
    yield (
        f"{what}: over {done.days} days and {done.workloads} workloads sizewise would have reserved {show(ours.reserved)}"
        + (f"; {show(now.reserved)} were requested{_change(ours.reserved, now.reserved)}." if now else ".")
    )
    yield f"  {_risk(done, ours)}"
    for result in done.results:
        if result.policy not in (OURS, NOW):
            yield f"  {result.policy} would have reserved {show(result.reserved)}; {_risk(done, result)}"


def _change(ours: float, now: float) -> str:
    change = ours / now - 1
    return f", so {abs(change):.0%} {'less' if change < 0 else 'more'}"


def _risk(done: Backtest, result: Result) -> str:
    if done.resource == "memory":
        times = f"on {result.risk_days} of {done.workload_days} workload-days ({result.risk_ratio:.2%})"
        return f"usage would have been above it {times}."
    return f"usage would have been above it {result.risk_ratio:.2%} of the time."
