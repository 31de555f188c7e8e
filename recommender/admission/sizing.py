"""The new size of one resource of one container, or why it keeps the one it came with.

It goes back to the target only from outside of the bounds, as the recommender itself does: so a pod whose template still
has the old size gets the new one each time, and a pod that fits is left alone. Every step only narrows what is changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from enum import StrEnum
from typing import Literal

from models.profile import CPU
from models.quantity import LARGEST
from models.reasons import Action, Reason
from recommender.admission.advice import ResourceAdvice
from recommender.admission.facts import FREE, Bounds
from recommender.admission.resources import Held

_GRAIN = (Decimal("0.001"), Decimal(1 << 20))
"""Requests are rounded up to a millicore and to a MiB."""
_UNIT = (Decimal("0.001"), Decimal(1))
"""What Kubernetes can tell apart."""
_EXACT = Context(prec=60)


class Kept(StrEnum):
    """Why a resource stays as it came. The values end a sentence that begins with what was left alone."""

    FITS = "it fits"
    NO_DATA = "too little of it was seen"
    UNSURE = "its history is too short to be sure"
    STALE = "no telemetry of it for a while"
    AUTOSCALED = "an autoscaler follows its request"
    VPA = "a VerticalPodAutoscaler sizes it"
    NONE_ASKED = "it asks for none, and its QoS class stays"
    QUOTA = "the ResourceQuota of its namespace counts it: never raised"
    SHRINK_ONLY = "policy never raises"
    LIMIT_RANGE = "the LimitRange of its namespace does not let it"
    LIMIT = "its limit does not let it"
    QOS = "its QoS class would change"
    INVALID = "its request is over its limit"


_MISSING, _STALE, _AUTOSCALED, _THROTTLED = (
    int(reason) for reason in (Reason.SIGNAL_MISSING, Reason.STALE, Reason.AUTOSCALED, Reason.THROTTLED)
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for one resource in one pod. kept: a reason that leaves it alone before anything is asked."""

    min_confidence_ratio: float
    min_change_ratio: float
    max_raise_ratio: float
    max_lower_ratio: float
    limits: Literal["keep-ratio", "keep"]
    no_raise: Kept | None = None
    kept: Kept | None = None
    bounds: Bounds = FREE


def resized(number: int, held: Held, advice: ResourceAdvice | None, confidence: float, rules: Rules) -> Held | Kept:
    """`number` is the resource's place in models.profile.RESOURCES."""
    if advice is None or not math.isfinite(advice.target):
        return Kept.NO_DATA
    if (why := rules.kept or _unfit(held, advice, confidence, rules)) is not None:
        return why
    target = asked_for(number, advice.target)
    if _fits(held.request, target, advice, rules):
        return Kept.FITS
    wanted = _stepped(number, held.request, target, rules)
    request = _within(wanted, held, rules)
    if isinstance(request, Kept):
        return request
    return _with_limit(number, held, request, advice, rules)


def asked_for(number: int, target: float) -> Decimal:
    """A recommended size as a pod asks for it."""
    return _rounded_up(_decimal(target), _GRAIN[number])


def _unfit(held: Held, advice: ResourceAdvice, confidence: float, rules: Rules) -> Kept | None:
    if held.request <= 0:
        return Kept.NONE_ASKED
    if 0 < held.limit < held.request:
        return Kept.INVALID
    if advice.action == Action.INSUFFICIENT or advice.reasons & _MISSING:
        return Kept.NO_DATA
    if advice.reasons & _STALE:
        return Kept.STALE
    if advice.reasons & _AUTOSCALED:
        return Kept.AUTOSCALED
    return Kept.UNSURE if not confidence >= rules.min_confidence_ratio else None


def _fits(request: Decimal, target: Decimal, advice: ResourceAdvice, rules: Rules) -> bool:
    """Inside of the bounds, or above the lower one and too near the target to be worth a change."""
    if float(request) < advice.lower:
        return False
    return float(request) <= advice.upper or abs(target - request) <= _EXACT.multiply(
        request, _decimal(rules.min_change_ratio)
    )


def _stepped(number: int, request: Decimal, target: Decimal, rules: Rules) -> Decimal:
    """No further than policy lets one admission go."""
    most = _EXACT.multiply(request, 1 + _decimal(rules.max_raise_ratio))
    least = _EXACT.multiply(request, 1 - _decimal(rules.max_lower_ratio))
    return min(max(target, _rounded_up(least, _GRAIN[number])), most)


def _within(wanted: Decimal, held: Held, rules: Rules) -> Decimal | Kept:
    """Inside of the LimitRange and, where limits stay, of the limit; never past the request that the pod came with."""
    low, high = rules.bounds.least, rules.bounds.most
    request = wanted if low is None else max(wanted, low)
    request = request if high is None else min(request, high)
    why = Kept.FITS if request == wanted else Kept.LIMIT_RANGE
    if rules.limits == "keep" and held.limit > 0 and request > held.limit:
        request, why = held.limit, Kept.LIMIT
    if request == held.request or (request > held.request) != (wanted > held.request):
        return why
    if request > held.request and rules.no_raise is not None:
        return rules.no_raise
    return request


def _with_limit(number: int, held: Held, request: Decimal, advice: ResourceAdvice, rules: Rules) -> Held | Kept:
    request = _rounded_up(request, _UNIT[number])
    limit = _limit(number, held, request, advice, rules) if held.limit > 0 else held.limit
    if held.limit > 0 and limit < request:
        return Kept.LIMIT_RANGE
    if not rules.bounds.allow(request, limit):
        return Kept.LIMIT_RANGE
    return Kept.QOS if held.equal and limit != request else Held(request, limit)


def _limit(number: int, held: Held, request: Decimal, advice: ResourceAdvice, rules: Rules) -> Decimal:
    """As policy says, then as the LimitRange lets it."""
    limit = held.limit if rules.limits == "keep" else _moved(number, held, request)
    if limit < held.limit and number == CPU and advice.reasons & _THROTTLED:
        limit = held.limit  # its limit holds it back already
    if rules.bounds.most is not None:
        limit = min(limit, _rounded_down(rules.bounds.most, _UNIT[number]))
    if rules.bounds.ratio is not None:
        limit = min(limit, _rounded_down(_EXACT.multiply(request, rules.bounds.ratio), _UNIT[number]))
    return limit


def _moved(number: int, held: Held, request: Decimal) -> Decimal:
    if held.equal:
        return request
    limit = _EXACT.divide(_EXACT.multiply(held.limit, request), held.request)
    return min(max(_rounded_up(limit, _UNIT[number]), request), LARGEST)


def _decimal(value: float) -> Decimal:
    """By its digits: 0.1 is 100m, and not the 101m that its binary fraction would round up to."""
    return Decimal(repr(value))


def _rounded_up(value: Decimal, grain: Decimal) -> Decimal:
    return _EXACT.multiply(_EXACT.divide(value, grain).to_integral_value(ROUND_CEILING), grain)


def _rounded_down(value: Decimal, grain: Decimal) -> Decimal:
    return _EXACT.multiply(_EXACT.divide(value, grain).to_integral_value(ROUND_FLOOR), grain)
