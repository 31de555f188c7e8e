"""Rows of a snapshot into the bodies of answers: plain values, times as text, null with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from models.columns import Array
from models.profile import RESOURCES
from models.reasons import Action, codes, sentences
from models.workload import WorkloadName
from recommender.api.answers import QUANTITIES, RATIOS, UNITS
from recommender.api.bottleneck import bottleneck, gpu
from recommender.api.explain import explanation
from recommender.view import Row, Snapshot
from recommender.view_query import action_code

Body = dict[str, Any]

_DIGITS = {"bytes": 0, "cores": 6, "ratio": 4}
_NO_SAMPLE = "no sample of this resource was seen yet"
_NO_TARGET = "too little was seen to recommend a size; reasons say what is missing"
_NOT_KNOWN = {
    "request_now": "no request is set, or its source cannot tell",
    "limit_now": "no limit is set, or its source cannot tell",
    "target": _NO_TARGET,
    "lower": _NO_TARGET,
    "upper": _NO_TARGET,
    "limit_target": "policy sets no limit here: leave it as it is",
    "usage_p50": _NO_SAMPLE,
    "usage_p95": _NO_SAMPLE,
    "usage_peak": _NO_SAMPLE,
    "saving": "needs a present request and a target",
    "expected_slack_ratio": "needs a target and samples",
    "overrun_risk_ratio": "needs a target and samples",
}


def workload(snapshot: Snapshot, row: Row) -> Body:
    """The body of a WorkloadAnswer."""
    name = name_of(row.id)
    instances = snapshot.instances.get(row.id)
    body: Body = {
        "id": row.id,
        "cluster": name.cluster,
        "namespace": name.namespace,
        "kind": name.kind,
        "name": name.name,
        "container": name.container,
        "instances_now": instances,
        "first_seen": time_text(row["first_seen_ms"]),
        "last_seen": time_text(max(int(row["last_seen_ms"]), int(row["gpu_last_seen_ms"]))),
        "covered_hours": round(int(row["covered_ms"]) / 3_600_000, 4),
        "oom_kills": int(row["oom_kills"]),
        "confidence_ratio": _confidence(row),
        "bottleneck": bottleneck(row),
        "gpu": gpu(row),
    }
    reasons = {
        "gpu": "no GPU telemetry of it was seen",
        "instances_now": "no node reports an instance of it now",
        "first_seen": "no CPU or memory telemetry of it was read yet",
        "last_seen": "its profile was not read yet",
        "confidence_ratio": "no recommendation was made yet",
    }
    return body | sizings(row) | {"missing": {k: v for k, v in reasons.items() if body[k] is None}}


def recommendation(row: Row, mig: Body | None) -> Body:
    """The body of a RecommendationAnswer. Call it for rows that have one: `is_recommended`. mig: of a MigAnswer."""
    body = {
        "id": row.id,
        "computed": time_text(row["computed_ms"]),
        "evidence_from": time_text(row["evidence_from_ms"]),
        "evidence_to": time_text(row["evidence_to_ms"]),
        "confidence_ratio": _confidence(row),
        **sizings(row),
        **{f"{name}_explanation": explanation(row, number, UNITS[name]) for number, name in enumerate(RESOURCES)},
        "mig": mig,
    }
    reasons = dict.fromkeys(("evidence_from", "evidence_to"), "no CPU or memory of it was seen, only its GPUs")
    reasons |= {"mig": "no GPU telemetry of it was seen", "confidence_ratio": "no recommendation was made yet"}
    return body | {"missing": {name: why for name, why in reasons.items() if body[name] is None}}


def is_recommended(row: Row) -> bool:
    return int(row["computed_ms"]) > 0


def sizings(row: Row) -> Body:
    return {resource: _sizing(row, number, UNITS[resource]) for number, resource in enumerate(RESOURCES)}


def totals(snapshot: Snapshot, places: Array) -> Body:
    """The body of Totals over the rows at `places`."""
    instances = snapshot.weights[places]
    now, target = (snapshot.columns[name][places] for name in ("request_now", "target"))
    action = snapshot.columns["action"][places]
    sized = ~np.isnan(target) & (action != Action.INSUFFICIENT)
    both = sized & ~np.isnan(now)
    names = [f"{resource}_{unit}" for resource, unit in UNITS.items()]
    return {
        name: {
            "requested": _sum(now[:, r], instances, both[:, r]),
            "needed": _sum(target[:, r], instances, both[:, r]),
            "needed_without_request": _sum(target[:, r], instances, sized[:, r] & ~both[:, r]),
            "workloads_compared": int(both[:, r].sum()),
        }
        for r, name in enumerate(names)
    }


def name_of(workload_id: str) -> WorkloadName:
    """The name behind an id; an id of a foreign form is all name."""
    try:
        return WorkloadName.parse(workload_id)
    except ValueError:
        return WorkloadName("", "", "", workload_id)


def time_text(time_ms: Any) -> str | None:
    """RFC 3339 in UTC; None for 0, which stands for never, and for times that no calendar has."""
    try:
        moment = datetime.fromtimestamp(int(time_ms) / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if int(time_ms) else None


def number(value: Any) -> float | None:
    """A finite float, or None."""
    plain = float(value)
    return plain if math.isfinite(plain) else None


def _confidence(row: Row) -> float | None:
    return round(float(row["confidence"]), 4) if is_recommended(row) else None


def _sizing(row: Row, resource: int, unit: str) -> Body:
    values = {name: _rounded(number(row[name][resource]), unit) for name in QUANTITIES}
    values["saving"] = _saving(int(row["action"][resource]), values)
    ratios = {name: _rounded(number(row[name][resource]), "ratio") for name in RATIOS}
    body: Body = {
        "action": action_code(int(row["action"][resource])),
        "reasons": _reasons(int(row["reasons"][resource])),
    }
    body |= {f"{name}_{unit}": value for name, value in values.items()} | ratios
    missing = {f"{name}_{unit}": _NOT_KNOWN[name] for name, value in values.items() if value is None}
    missing |= {name: _NOT_KNOWN[name] for name, value in ratios.items() if value is None}
    return body | {"missing": missing}


def _saving(action: int, values: Mapping[str, float | None]) -> float | None:
    """The same rule as Snapshot.saving, for one row."""
    if action == Action.LEAVE:
        return 0.0
    now, target = values["request_now"], values["target"]
    changes = action in (Action.RAISE, Action.LOWER)
    return round(now - target, 6) if changes and now is not None and target is not None else None


def _rounded(value: float | None, unit: str) -> float | None:
    """Without the digits that mean nothing: whole bytes, a millionth of a core, a hundredth of a percent."""
    return None if value is None else round(value, _DIGITS[unit])


def _reasons(mask: int) -> list[Body]:
    return [{"code": code, "sentence": text} for code, text in zip(codes(mask), sentences(mask), strict=True)]


def _sum(values: Array, weights: Array, mask: Array) -> float:
    return round(float((values[mask] * weights[mask]).sum()), 6)


def nodes_of(snapshot: Snapshot, workload_id: str) -> Sequence[str]:
    """Keys of the nodes that hold an instance of it."""
    return [key for key, node in snapshot.nodes.items() if any(a.workload == workload_id for a in node.allocations)]
