"""Plain JSON: every field of a decision, with its unit; null has its reason in `missing`."""

from __future__ import annotations

from typing import Any

from recommender.decision import Decision, GpuChoice, GpuOption, Size
from recommender.mig.dialects import kubernetes_resource, slurm_gres
from recommender.mig.eligible import Because

Body = dict[str, Any]
_DIGITS = {"cores": 6, "bytes": 0}
_NOT_KNOWN = {
    "asked": "not said in the question",
    "asked_limit": "not said in the question",
    "request": "nothing is asked for and nothing is known of its use",
    "limit": "none is asked for, and policy sets none",
    "lower": "nothing is known of its use",
    "upper": "nothing is known of its use",
}


def plain(decision: Decision) -> Body:
    """The body of a DecisionAnswer."""
    body = {
        "id": decision.id or None,
        "workload": decision.workload or None,
        "source": decision.source,
        "confidence_ratio": None if decision.confidence is None else round(decision.confidence, 4),
        "cpu": _size(decision.cpu, "cores"),
        "memory": _size(decision.memory, "bytes"),
        "gpu": None if decision.gpu is None else _gpu(decision.gpu),
        "members": decision.members,
        "placement": decision.placement,
        "kin": list(decision.kin),
        "reasons": [_because(because) for because in decision.because],
    }
    return body | {"missing": dict(decision.missing)}


def _size(size: Size, unit: str) -> Body:
    values = {name: _rounded(getattr(size, name), unit) for name in _NOT_KNOWN}
    return {
        "action": size.action,
        **{f"{name}_{unit}": value for name, value in values.items()},
        "reasons": [_because(because) for because in size.because],
        "missing": {f"{name}_{unit}": _NOT_KNOWN[name] for name, value in values.items() if value is None},
    }


def _gpu(gpu: GpuChoice) -> Body:
    return {
        "action": gpu.action,
        "take": _option(gpu.take, gpu),
        "alternatives": [_option(option, gpu) for option in gpu.alternatives],
        "asked": _option(gpu.asked, gpu),
        "models": list(gpu.models),
        "seen_on": gpu.seen_on or None,
        "reasons": [_because(because) for because in gpu.because],
    }


def _option(option: GpuOption, gpu: GpuChoice) -> Body:
    return {
        "mig_profile": option.mig_profile or None,
        "count": option.count,
        "share_ratio": option.share_ratio,
        "speed_ratio": option.speed_ratio,
        "kubernetes_resource": dict(kubernetes_resource(option.mig_profile, option.count)),
        "slurm_gres": slurm_gres(option.mig_profile, option.count, gpu.model),
    }


def _because(because: Because) -> Body:
    return {"code": because.code, "sentence": because.sentence}


def _rounded(value: float | None, unit: str) -> float | None:
    return None if value is None else round(value, _DIGITS[unit])
