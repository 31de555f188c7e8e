"""Spot nodes: how often to checkpoint, how long a job then takes, and what it costs.

Interruptions are taken for a Poisson process with mean time M between them. Interval: Daly 2006, higher-order estimate
for checkpoint cost d < 2M (Young 1974 is its first term): sqrt(2dM) (1 + sqrt(d/2M)/3 + (d/2M)/9) - d, else M.
Wall time: Daly's complete model, M e^(R/M) (e^((t+d)/M) - 1) T/t for work T, interval t and restart R.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, expm1, inf, sqrt

from models.hardware.discovery import find_gpu
from recommender.placement.job import Checkpointing, Job, NodeFacts
from recommender.placement.request import GPU_MILLI

_OVERFLOW = 700.0


def checkpoint_interval_s(cost_s: float, between_interruptions_s: float) -> float:
    """Work between two checkpoints. Raises ValueError for a cost or a mean time that is not positive."""
    if cost_s <= 0 or between_interruptions_s <= 0:
        raise ValueError(
            f"checkpoint cost is {cost_s} s, mean time between interruptions {between_interruptions_s} s; both must be "
            "above 0: measure one checkpoint, and count interruptions over a longer time"
        )
    ratio = cost_s / (2 * between_interruptions_s)
    if ratio >= 1:
        return between_interruptions_s
    first = sqrt(2 * cost_s * between_interruptions_s)
    return max(first * (1 + sqrt(ratio) / 3 + ratio / 9) - cost_s, cost_s)


def expected_wall_s(work_s: float, interval_s: float, checkpoint: Checkpointing, between_s: float) -> float:
    """Time until `work_s` of work is done, checkpoints, lost work and restarts included; infinite if it never ends."""
    segment = min(interval_s, work_s)
    if (segment + checkpoint.cost_s + checkpoint.restart_s) / between_s > _OVERFLOW:
        return inf
    once = exp(checkpoint.restart_s / between_s) * expm1((segment + checkpoint.cost_s) / between_s)
    return between_s * once * work_s / segment


@dataclass(frozen=True, slots=True)
class SpotPlan:
    """interval_s: checkpoint that often. stretch_ratio: wall time over plain run time. cost_usd: for the whole run."""

    interval_s: float
    stretch_ratio: float
    cost_usd: float


def plan_spot(
    work_s: float, checkpoint: Checkpointing, interruptions_per_hour: float, price_usd_per_hour: float
) -> SpotPlan:
    """What the job would cost on a spot node. interruptions_per_hour 0: none was ever seen, so none is expected."""
    if interruptions_per_hour == 0:
        return SpotPlan(inf, 1.0, work_s / 3600 * price_usd_per_hour)
    between_s = 3600 / interruptions_per_hour
    interval = checkpoint_interval_s(checkpoint.cost_s, between_s)
    wall = expected_wall_s(work_s, interval, checkpoint, between_s)
    return SpotPlan(interval, wall / work_s, wall / 3600 * price_usd_per_hour)


@dataclass(frozen=True, slots=True)
class SpotAdvice:
    """advised: whether the cheapest spot node costs less than the cheapest other; None: not known, `sentence` says why.

    plan: on that spot node; None without one. spot_usd, on_demand_usd: for the whole run; None: no such node, or unknown.
    """

    advised: bool | None
    sentence: str
    plan: SpotPlan | None = None
    spot_usd: float | None = None
    on_demand_usd: float | None = None


def gpu_price(job: Job, facts: NodeFacts) -> float | None:
    """USD per hour of what one member takes: its GPUs' part of the node; on a node without GPUs the whole node."""
    if facts.price_usd_per_hour is None:
        return None
    return facts.price_usd_per_hour * (_gpus_taken(job, facts) / facts.gpus if facts.gpus else 1.0)


def _gpus_taken(job: Job, facts: NodeFacts) -> float:
    """A job without GPUs takes one from the others: the CPU that feeds it. A slice counts by its compute."""
    request, known = job.request, find_gpu(facts.gpu_model)
    if request.mig_profile and known and known.mig:
        sizes = {p.name: known.mig.compute_share(p) for p in known.mig.profiles}
        return request.gpus * sizes.get(request.mig_profile, 1.0)
    return request.gpus if request.mig_profile else request.total_gpu_milli / GPU_MILLI or 1.0


def advise_spot(job: Job, facts: Sequence[NodeFacts]) -> SpotAdvice:
    """Spot or not, for one member, among the nodes that it could go to."""
    if job.checkpointing is None:
        return SpotAdvice(None, "spot was not asked for: say what a checkpoint costs and how long a restart takes")
    if not any(f.spot for f in facts):
        return SpotAdvice(None, "none of the nodes that it could go to is a spot node")
    kinds = {(gpu_price(job, f), f.interruptions_per_hour if f.spot else None, f.spot) for f in facts}
    hours = None if job.run_time_s is None else job.run_time_s / 3600
    plain = [price * hours for price, _, spot in kinds if hours and not spot and price is not None]
    plans = [
        plan_spot(job.run_time_s, job.checkpointing, rate, price)
        for price, rate, spot in kinds
        if spot and job.run_time_s and price is not None and rate is not None
    ]
    on_demand = min(plain, default=None)
    if not plans:
        lacks = "its run time" if not job.run_time_s else "how often spot nodes are interrupted, or their price,"
        return SpotAdvice(None, f"{lacks} is not known", None, None, on_demand)
    return _compared(min(plans, key=lambda plan: plan.cost_usd), on_demand)


def _compared(plan: SpotPlan, on_demand: float | None) -> SpotAdvice:
    how = (
        f"a checkpoint every {plan.interval_s:.0f} s"
        if plan.interval_s < inf
        else "no checkpoint: none was interrupted"
    )
    spot = f"${plan.cost_usd:.2f} on spot with {how}, {plan.stretch_ratio:.0%} of its run time"
    if on_demand is None:
        return SpotAdvice(None, f"{spot}; no node on demand has a price to compare", plan, plan.cost_usd, None)
    word = "cheaper" if plan.cost_usd < on_demand else "not cheaper"
    sentence = f"{spot}; ${on_demand:.2f} on demand: spot is {word}"
    return SpotAdvice(plan.cost_usd < on_demand, sentence, plan, plan.cost_usd, on_demand)
