"""The size of one resource of one container."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from models.reasons import Action, Reason
from recommender.admission.advice import ResourceAdvice
from recommender.admission.facts import Bounds
from recommender.admission.resources import Held
from recommender.admission.sizing import Kept, Rules, resized
from tests.recommender.admission.pods import GIB, resource

D = Decimal
CPU, MEMORY = 0, 1
RULES = Rules(0.5, 0.1, 9.0, 0.95, "keep-ratio")
KEEP = replace(RULES, limits="keep")


def held(request: str, limit: str = "0") -> Held:
    return Held(D(request), D(limit))


def sized(now: Held, target: float, rules: Rules = RULES, number: int = CPU) -> Held | Kept:
    return resized(number, now, resource(target), 1.0, rules)


@pytest.mark.parametrize(
    ("now", "target", "after"),
    [
        (held("4"), 1.0, held("1")),
        (held("1"), 4.0, held("4")),
        (held("4", "8"), 1.0, held("1", "2")),  # the limit is twice the request, before and after
        (held("4", "4"), 1.0, held("1", "1")),
        (held("4"), 0.0701, held("0.2")),  # 95 % at most are taken: 4 x 0.05
        (held("0.1"), 50.0, held("1")),  # ten times as much at most
        (held("4"), 0.3001, held("0.301")),  # up to the next millicore
        (held("4"), 0.3, held("0.3")),  # and not to 301m, whatever the binary fraction of 0.3 is
        (held("3", "10"), 1.0, held("1", "3.334")),  # 10/3, up to the next millicore
    ],
)
def test_a_request_goes_to_its_target_and_the_limit_with_it(now: Held, target: float, after: Held) -> None:
    """Lowered or raised, as far as policy lets one admission go."""
    assert sized(now, target) == after


def test_memory_is_rounded_up_to_a_mebibyte() -> None:
    """1 GiB and a byte are 1025 MiB."""
    assert sized(held(str(4 << 30)), GIB + 1, number=MEMORY) == held(str(1025 << 20))


@pytest.mark.parametrize(
    ("request_", "fits"),
    [("0.8", True), ("1.2", True), ("0.79", False), ("1.21", False)],
)
def test_inside_of_the_bounds_nothing_changes(request_: str, fits: bool) -> None:
    """The target is 1, its bounds 0.8 and 1.2; a request just outside goes to the target."""
    assert (sized(held(request_), 1.0) == Kept.FITS) is fits


def test_a_request_over_its_bounds_but_near_its_target_stays() -> None:
    """Target 1, upper bound 1.02: from 1.05 it would be lowered by 5 %, which is not worth it; from 1.2 by 17 %."""
    tight = ResourceAdvice(int(Action.LOWER), 0, 1.0, 0.98, 1.02)
    assert resized(CPU, held("1.05"), tight, 1.0, RULES) == Kept.FITS
    assert resized(CPU, held("1.2"), tight, 1.0, RULES) == held("1")


@pytest.mark.parametrize(
    ("now", "advice", "confidence", "why"),
    [
        (held("4"), None, 1.0, Kept.NO_DATA),
        (held("4"), resource(float("nan")), 1.0, Kept.NO_DATA),
        (held("4"), resource(1.0, action=Action.INSUFFICIENT), 1.0, Kept.NO_DATA),
        (held("4"), resource(1.0, Reason.SIGNAL_MISSING), 1.0, Kept.NO_DATA),
        (held("4"), resource(1.0, Reason.STALE), 1.0, Kept.STALE),
        (held("4"), resource(1.0, Reason.AUTOSCALED), 1.0, Kept.AUTOSCALED),
        (held("4"), resource(1.0), 0.49, Kept.UNSURE),
        (held("4"), resource(1.0), float("nan"), Kept.UNSURE),
        (held("0"), resource(1.0), 1.0, Kept.NONE_ASKED),
        (held("4", "2"), resource(1.0), 1.0, Kept.INVALID),
    ],
)
def test_what_is_not_sure_or_not_ours_is_left_alone(
    now: Held, advice: ResourceAdvice | None, confidence: float, why: Kept
) -> None:
    """And the reason says why."""
    assert resized(CPU, now, advice, confidence, RULES) == why


def test_an_action_of_the_past_does_not_decide() -> None:
    """`leave` was said of the request that runs, which the webhook itself has set; the template still has the old one."""
    left = replace(resource(1.0), action=int(Action.LEAVE))
    assert resized(CPU, held("4"), left, 1.0, RULES) == held("1")


@pytest.mark.parametrize(
    ("bounds", "target", "after"),
    [
        (Bounds(least=D(2)), 1.0, held("2", "4")),
        (Bounds(most=D(5)), 1.0, held("1", "2")),
        (Bounds(most=D(5)), 8.0, held("5", "5")),  # the limit is cut as well
        (Bounds(ratio=D("1.5")), 1.0, held("1", "1.5")),
        (Bounds(least=D(5)), 1.0, held("5", "10")),
        (Bounds(least=D(3), most=D(2)), 1.0, Kept.LIMIT_RANGE),  # it contradicts itself
        (Bounds(most=D("0.0001")), 1.0, Kept.LIMIT_RANGE),  # finer than a millicore
    ],
)
def test_a_limit_range_is_kept(bounds: Bounds, target: float, after: Held | Kept) -> None:
    """Request 4, limit 8, and what the LimitRange makes of the target."""
    found = sized(held("4", "8"), target, replace(RULES, bounds=bounds))
    expected = Kept.LIMIT_RANGE if after == held("5", "10") else after  # lowering never raises
    assert found == expected


def test_where_a_quota_counts_only_lowering_is_left() -> None:
    """A raised request could have the pod refused."""
    rules = replace(RULES, no_raise=Kept.QUOTA)
    assert sized(held("1"), 4.0, rules) == Kept.QUOTA
    assert sized(held("4"), 1.0, rules) == held("1")


def test_a_kept_limit_bounds_the_request() -> None:
    """Limit 2 stays: the request goes to 2 of the 4 that it needs, and not at all where it is there already."""
    assert sized(held("1", "2"), 4.0, KEEP) == held("2", "2")
    assert sized(held("2", "2"), 4.0, KEEP) == Kept.LIMIT
    assert sized(held("4", "8"), 1.0, KEEP) == held("1", "8")


def test_a_limit_that_throttles_is_not_lowered() -> None:
    """The request goes down, the limit that holds it back stays; where both are equal, so that the QoS class may hang on
    it, neither changes."""
    throttled = resource(1.0, Reason.THROTTLED)
    assert resized(CPU, held("4", "8"), throttled, 1.0, RULES) == held("1", "8")
    assert resized(CPU, held("4", "4"), throttled, 1.0, RULES) == Kept.QOS
