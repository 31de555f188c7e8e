"""Policy after estimation, step by step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.reasons import Reason
from recommender.sizing.bounds import Bounds
from recommender.sizing.policy import Standing, apply_policy, fit, hold, keep_present, limit_step, since_ms
from recommender.sizing.usage import Usage, draw_usage
from tests.recommender.sizing.profiles import DAY_MS, GIB, MIB, NOW_MS, Workload, policy, profiles

NAN = float("nan")
CPU_REQUEST, MEMORY_REQUEST = "cpu_request_cores", "memory_request_bytes"


def usage_of(
    cpu_request: float = NAN, memory_request: float = NAN, days: float = 32, oom: float | None = None
) -> Usage:
    signals = {CPU_REQUEST: cpu_request, MEMORY_REQUEST: memory_request}
    return draw_usage(profiles(Workload(days=days, signals=signals, oom_days_ago=oom)), policy(), NOW_MS)


def bounds(cpu: tuple[float, float, float], memory: tuple[float, float, float] = (GIB, GIB, GIB)) -> Bounds:
    lower, target, upper = (np.array([[c, m]]) for c, m in zip(cpu, memory, strict=True))
    return Bounds(lower, target, upper, np.zeros((1, 2), dtype=np.uint64))


def standing(cpu: float = NAN, memory: float = NAN, days_ago: float = 0.0) -> Standing:
    since = int(NOW_MS - days_ago * DAY_MS)
    nothing = Standing.of(None, ["any"])
    return replace(nothing, target=np.array([[cpu, memory]]), since_ms=np.array([[since, since]]))


def test_floor_and_cap_hold_for_target_and_bounds() -> None:
    """A floor of 0.1 lifts 0.02; a cap of 2 GiB cuts 3 GiB, peak or not: it was set."""
    limited = policy(cpu_floor_cores=0.1, memory_cap_bytes=2 * GIB)
    fitted = fit(bounds((0.01, 0.02, 0.2), (3 * GIB, 3 * GIB, 4 * GIB)), limited)
    assert fitted.lower.tolist() == [[0.1, 2 * GIB]]
    assert fitted.target.tolist() == [[0.1, 2 * GIB]]
    assert fitted.upper.tolist() == [[0.2, 2 * GIB]]
    assert fitted.reasons.tolist() == [[Reason.FLOOR, Reason.CAP]]


def test_not_lowered_before_a_day_was_seen() -> None:
    """After 12 h a request of 4 cores stays, though usage asks for 1; after 2 days it does not."""
    kept = keep_present(bounds((0.5, 1, 2)), usage_of(cpu_request=4, days=0.5), policy())
    assert kept.target[0, 0] == 4
    assert kept.reasons[0, 0] == Reason.SHORT_HISTORY
    assert keep_present(bounds((0.5, 1, 2)), usage_of(cpu_request=4, days=2), policy()).target[0, 0] == 1


def test_raised_at_once_on_short_history() -> None:
    """Keeping the present request never holds a raise back."""
    assert keep_present(bounds((4, 5, 6)), usage_of(cpu_request=1, days=0.1), policy()).target[0, 0] == 5


def test_memory_is_not_lowered_soon_after_an_oom_kill() -> None:
    """Two days after a kill, within the cool-down of three, 4 GiB stay; after four days they fall. CPU is not held."""
    ask = bounds((0.5, 1, 2), (GIB, GIB, 2 * GIB))
    kept = keep_present(ask, usage_of(4, 4 * GIB, oom=2), policy())
    assert kept.target.tolist() == [[1, 4 * GIB]]
    assert kept.reasons[0, 1] == Reason.COOL_DOWN
    assert keep_present(ask, usage_of(4, 4 * GIB, oom=4), policy()).target[0, 1] == GIB


@pytest.mark.parametrize(
    ("request_now", "target"),
    [
        (1.0, 4.0),  # up: 1 * (1 + 3), of 6 asked for
        (20.0, 10.0),  # down: 20 * (1 - 0.5)
        (3.0, 6.0),  # within a step
        (NAN, 6.0),  # no request, no step
        (0.1, 2.0),  # four times 0.1 would starve it: the lower bound counts
    ],
)
def test_one_step_at_a_time(request_now: float, target: float) -> None:
    stepped = limit_step(bounds((2, 6, 8)), usage_of(cpu_request=request_now), policy())
    assert stepped.target[0, 0] == pytest.approx(target)
    assert bool(int(stepped.reasons[0, 0]) & Reason.MAX_STEP) == (target != 6)


def test_a_step_never_stops_under_a_memory_peak() -> None:
    """From 100 MiB a step reaches 400 MiB, but the peak, which is the lower bound, was 1 GiB."""
    ask = bounds((1, 1, 1), (GIB, 1.15 * GIB, 2 * GIB))
    assert limit_step(ask, usage_of(memory_request=100 * MIB), policy()).target[0, 1] == GIB


def test_a_small_change_keeps_the_standing_target() -> None:
    """1.0 stands: 1.08 and 0.95 are within 10 %, 1.12 is not."""
    for asked, target in ((1.08, 1.0), (0.95, 1.0), (1.12, 1.12)):
        held = hold(bounds((0.5, asked, 2)), usage_of(), standing(cpu=1.0, days_ago=30), policy())
        assert held.target[0, 0] == target
        assert bool(int(held.reasons[0, 0]) & Reason.HYSTERESIS) == (target != asked)


def test_a_small_change_is_made_when_the_standing_target_starves() -> None:
    """1.0 GiB stands and the peak is now 1.05 GiB: 5 % more memory is not small."""
    held = hold(bounds((1, 1, 1), (1.05 * GIB, 1.05 * GIB, GIB)), usage_of(), standing(memory=GIB), policy())
    assert held.target[0, 1] == 1.05 * GIB


def test_raised_at_once_lowered_weekly() -> None:
    """2.0 stands for 3 days: 1.0 waits until the seventh, 3.0 comes now."""
    early = hold(bounds((0.5, 1.0, 2)), usage_of(), standing(cpu=2.0, days_ago=3), policy())
    assert early.target[0, 0] == 2.0
    assert early.reasons[0, 0] == Reason.COOL_DOWN
    assert hold(bounds((0.5, 1.0, 2)), usage_of(), standing(cpu=2.0, days_ago=7), policy()).target[0, 0] == 1.0
    assert hold(bounds((0.5, 3.0, 4)), usage_of(), standing(cpu=2.0, days_ago=3), policy()).target[0, 0] == 3.0


def test_a_first_guess_does_not_stand_for_a_week() -> None:
    """With 2 h of history a target waits for 1 h, half of it, before it may be lowered."""
    for hours, target in ((0.5, 2.0), (1.0, 1.0)):
        held = hold(bounds((0.5, 1.0, 2)), usage_of(days=2 / 24), standing(cpu=2.0, days_ago=hours / 24), policy())
        assert held.target[0, 0] == target


def test_since_when_a_target_stands() -> None:
    """A kept target keeps its time, a new one gets now, none has 0."""
    kept = bounds((1, 2, 3), (NAN, NAN, NAN))
    assert since_ms(kept, usage_of(), standing(cpu=2, days_ago=3)).tolist() == [[NOW_MS - 3 * DAY_MS, 0]]
    assert since_ms(kept, usage_of(), standing(cpu=9, days_ago=3)).tolist() == [[NOW_MS, 0]]


def test_applying_policy_twice_changes_nothing() -> None:
    """Over requests, asks and standing targets of many sizes: the result of policy is a fixed point of it."""
    sizes = (0.002, 0.1, 1.0, 1.05, 3.0, 50.0, NAN)
    for request_now in sizes:
        for asked in sizes[:-1]:
            for stood in sizes:
                usage = usage_of(cpu_request=request_now, days=0.9)
                first = apply_policy(bounds((asked / 2, asked, asked * 2)), usage, standing(stood, GIB, 0.2), policy())
                since = since_ms(first, usage, standing(stood, GIB, 0.2))
                after = replace(standing(), target=first.target, since_ms=since)
                second = apply_policy(first, usage, after, policy())
                for name in ("lower", "target", "upper"):
                    assert getattr(second, name).tolist() == getattr(first, name).tolist(), (request_now, asked, stood)
                assert since_ms(second, usage, after).tolist() == after.since_ms.tolist()


def test_bounds_contain_the_target_after_policy() -> None:
    """20 cores now and 1 asked for: one step leaves 10, so 10 is not waste yet."""
    result = apply_policy(bounds((0.5, 1, 2)), usage_of(cpu_request=20), standing(), policy())
    assert (result.lower[0, 0], result.target[0, 0], result.upper[0, 0]) == (0.5, 10, 10)
