"""What carried a decision, and what would change it, in the units of the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from models.outcome import Outcome
from models.reasons import Reason
from recommender.recommendation_id import recommendation_id
from recommender.sizing.experts.catalogue import EXPERTS
from recommender.sizing.experts.cold import ENOUGH_DAYS
from recommender.sizing.records import NAMES
from recommender.view import Row

Body = dict[str, Any]
_UNSEEN = "no instance was seen to begin, or none to go on"
_NOT_FOLLOWED = "no change of this request was seen that followed a recommendation"
_COLD = f"under {ENOUGH_DAYS} days with usage a plain rule serves, which has no record to weigh"


def explanation(row: Row, resource: int, unit: str) -> Body:
    """The body of an Explanation, of a workload that has a recommendation."""
    known = not np.isnan(row["expert_limit"][resource])
    own = row["own_share_ratio"][resource]
    numbers = {
        "own_share_ratio": _ratio(own),
        "prior_share_ratio": _ratio(1 - own),
        f"expert_limit_{unit}": _value(row["expert_limit"][resource], unit),
        "expert_slack_ratio": _ratio(row["expert_slack_ratio"][resource]),
        "expert_overrun_ratio": _ratio(row["expert_overrun_ratio"][resource]),
    }
    phases = {f"{name}_{unit}": _value(row[name][resource], unit) for name in ("start_peak", "steady_peak")}
    return {
        "experts": list(_carriers(row, resource, unit)) if known else [],
        **numbers,
        "runs": int(row["runs"]),
        **phases,
        "change_followed": _followed(row, resource),
        "change_outcome": Outcome(int(row["outcome"][resource])).cause,
        "would_change": list(_would_change(Reason(int(row["reasons"][resource])), NAMES[resource], known)),
        "missing": {name: _COLD for name, value in numbers.items() if value is None}
        | {name: _UNSEEN for name, value in phases.items() if value is None}
        | ({} if row["applied_ms"][resource] else {"change_followed": _NOT_FOLLOWED}),
    }


def _followed(row: Row, resource: int) -> str | None:
    applied_ms = int(row["applied_ms"][resource])
    return recommendation_id(row.id, applied_ms) if applied_ms else None


def _carriers(row: Row, resource: int, unit: str) -> Iterator[Body]:
    experts = EXPERTS[NAMES[resource]]
    parts = (row[f"carrier{part}"][resource] for part in ("", "_weight", "_limit"))
    for number, weight, limit in zip(*parts, strict=True):
        yield {
            "expert": experts.label(int(number)),
            "weight_ratio": _ratio(weight),
            f"limit_{unit}": _value(limit, unit),
        }


def _would_change(reasons: Reason, resource: str, known: bool) -> Iterator[str]:
    """Plain sentences, the likeliest first."""
    if not known:
        yield f"after {ENOUGH_DAYS} days with usage, rules weighed by their own record take over from the plain one"
    if resource == "memory":
        yield "a peak above the target, or an OOM kill, raises it at once"
    else:
        yield "throttling by its CPU limit raises it at once"
    if known:
        yield "days unlike those before move the weights of the rules, once a day"
    yield from (sentence for reason, sentence in _MENDS.items() if reason in reasons)


_MENDS = {
    Reason.PEAK: "when its highest peak is older than policy looks back, it falls",
    Reason.GROWING: "when it stops growing for some days, what was added for growth goes",
    Reason.OOM_BUMP: "the bump of the OOM kill ends when the kill is older than policy looks back",
    Reason.START_UP: "when 32 days have no start that needs as much, it falls",
    Reason.UNDO: "the proposal to undo the change ends undo_days after it",
    Reason.COOL_DOWN: "it may be lowered when it has stood for lower_interval_days",
    Reason.HYSTERESIS: "a change of more than hysteresis_ratio is made",
    Reason.MAX_STEP: "the next step follows when this one was made",
    Reason.CHANGE_BUDGET: "tomorrow its namespace has its lowerings again",
    Reason.FLOOR: "a lower floor in policy",
    Reason.CAP: "a higher cap in policy",
    Reason.AUTOSCALED: "two days without a sign of its autoscaler, or policy that says there is none",
}


def _value(value: Any, unit: str) -> float | None:
    return None if np.isnan(value) else round(float(value), 0 if unit == "bytes" else 6)


def _ratio(value: Any) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
