"""CPU and memory of a job: what is asked for, weighed against what is known of its use."""

from __future__ import annotations

import math
from dataclasses import dataclass

from models.reasons import Action, Reason, codes, sentences
from recommender.decision import Size, SizeAction
from recommender.mig.eligible import Because
from recommender.view import Row

_SAME = 0.01
"""A limit within 1 % of its request is equal to it, as in recommender.sizing.limits."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one resource. NaN: not known. held: policy leaves the request as it is, whatever it is.
    limit: what policy sets beside `target`."""

    target: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    limit: float = math.nan
    held: bool = False
    because: tuple[Because, ...] = ()

    @property
    def unknown(self) -> bool:
        return math.isnan(self.target)


def known_by_row(row: Row, resource: int) -> Known:
    """Of a workload's own recommendation."""
    mask, action = int(row["reasons"][resource]), int(row["action"][resource])
    because = tuple(Because(code, text) for code, text in zip(codes(mask), sentences(mask), strict=True))
    if action == Action.INSUFFICIENT:
        return Known(because=because)
    target, lower, upper, limit = (float(row[name][resource]) for name in ("target", "lower", "upper", "limit_target"))
    return Known(target, lower, upper, limit, bool(mask & Reason.AUTOSCALED) and action == Action.LEAVE, because)


def size(asked: float | None, limit: float | None, known: Known) -> Size:
    """What to set. What is asked for stays where nothing is known, where policy holds it, and within the bounds."""
    action = _action(asked, known)
    request = known.target if action in ("set", "raise", "lower") else asked
    return Size(
        asked,
        limit,
        request,
        _limit(asked, limit, request, known),
        _finite(known.lower),
        _finite(known.upper),
        action,
        known.because,
    )


def _action(asked: float | None, known: Known) -> SizeAction:
    if known.unknown:
        return "insufficient"
    if asked is None:
        return "set"
    if known.held or known.lower <= asked <= known.upper:
        return "leave"
    return "raise" if asked < known.target else "lower"


def _limit(asked: float | None, limit: float | None, request: float | None, known: Known) -> float | None:
    """One that is equal to its request stays equal, which keeps the QoS class; else policy's, or the ratio is kept."""
    if request is None or request == asked:
        return limit
    if limit is not None and asked and abs(limit - asked) <= _SAME * asked:
        return request
    if not math.isnan(known.limit):
        return max(known.limit, request)
    return None if limit is None else request * max(limit / asked, 1.0) if asked else max(limit, request)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
