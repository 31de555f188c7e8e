"""Whole decisions: properties that hold for every workload, and a few worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.columns import Columns
from models.reasons import Action, Reason
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.sizing.decide import decide
from recommender.sizing.usage import PROFILE_FIELDS_READ
from tests.recommender.sizing.profiles import DAY_MS, GIB, MIB, NOW_MS, Workload, policy, profiles

NAN = float("nan")
CORES = st.floats(0.001, 500.0)
BYTES = st.floats(1e6, 1e12)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "cpu_request_cores": CORES,
        "cpu_limit_cores": CORES,
        "memory_request_bytes": BYTES,
        "memory_limit_bytes": BYTES,
    },
)
WORKLOADS = st.builds(
    Workload,
    cpu=st.dictionaries(CORES, st.integers(1, 1_000_000), max_size=5),
    memory=st.lists(st.one_of(BYTES, st.just(NAN)), max_size=32),
    days=st.floats(0.0, 32.0),
    signals=REQUESTS,
    throttled=st.one_of(st.floats(0.0, 1.0), st.just(NAN)),
    oom_days_ago=st.one_of(st.none(), st.floats(0.0, 40.0)),
    oom_peak=st.one_of(BYTES, st.just(NAN)),
    rows=st.integers(0, 10_000),
    silent_days=st.floats(0.0, 5.0),
)
FLEETS = st.lists(WORKLOADS, min_size=1, max_size=6)
UNBOUND = {"memory_cap_bytes": float(1 << 50), "memory_growth_days": 0.0}


def reasons(result: Columns, resource: int, row: int = 0) -> Reason:
    return Reason(int(result["reasons"][row, resource]))


def test_a_steady_service_by_hand() -> None:
    """0.5 cores always, 1 GiB a day for 8 days, requests of 1 core and 2 GiB.

    CPU: P90 = 0.5, target 0.5 * 1.15 = 0.575, lower P80 = 0.5 * (1 + 0.02/8.02)^-2 = 0.4975, upper 0.575 * (1 + 1/8.25)
    = 0.6447: 1 core is waste. Memory: target 1.15 GiB, lower 1 GiB, upper 1.15 * (1 + 1/8.25) = 1.2894 GiB: 2 GiB is.
    Slack: CPU 1 - 0.5/0.575 = 0.13; memory P95 is 0.8 GiB: 1 - 0.8/1.15 = 0.304.
    Risk: no CPU sample is above 0.575, which lies past its bucket; memory 1 / 10 days / 1.15^2 = 0.0756.
    """
    requests = {"cpu_request_cores": 1.0, "memory_request_bytes": 2 * GIB}
    result = decide(profiles(Workload(cpu={0.5: 100}, memory=[GIB] * 8, days=8, signals=requests)), None, policy())
    assert result["target"][0] == pytest.approx([0.575, 1.15 * GIB])
    assert result["lower"][0] == pytest.approx([0.4975, GIB], rel=1e-4)
    assert result["upper"][0] == pytest.approx([0.6447, 1.2894 * GIB], rel=1e-4)
    assert result["action"][0].tolist() == [Action.LOWER, Action.LOWER]
    assert reasons(result, 0) == Reason.PERCENTILE | Reason.MARGIN
    assert reasons(result, 1) == Reason.PEAK | Reason.MARGIN
    assert result["confidence"][0] == 1.0
    assert result["expected_slack_ratio"][0] == pytest.approx([0.1304, 0.3043], abs=1e-4)
    assert result["overrun_risk_ratio"][0] == pytest.approx([0.0, 0.0756], abs=1e-4)
    assert result["usage_p95"][0] == pytest.approx([0.5, 0.8 * GIB])
    assert result["evidence_to_ms"][0] - result["evidence_from_ms"][0] == 8 * DAY_MS


def test_memory_in_ordinary_use_is_told_apart_from_its_peaks() -> None:
    """Finished days with medians of 0.5 GiB and one with 4: the median day has 0.5. Their P95 are 0.8, 0.8, 6.4: mean 2.67.

    On the first day there is no finished one: the running day's samples, all in the bucket of 1 GiB, answer."""
    result = decide(profiles(Workload(memory=[GIB, GIB, 8 * GIB, GIB])), None, policy())
    assert result["usage_p50"][0, 1] == pytest.approx(0.5 * GIB, rel=1e-3)
    assert result["usage_p95"][0, 1] == pytest.approx((0.8 + 6.4 + 0.8) / 3 * GIB)
    assert result["usage_peak"][0, 1] == 8 * GIB
    young = decide(profiles(Workload(memory=[GIB])), None, policy())
    assert young["usage_p50"][0, 1] == pytest.approx(GIB, rel=0.05)


@pytest.mark.parametrize(
    ("request_cores", "action", "reason"),
    [
        (0.3, Action.RAISE, Reason(0)),  # under 0.4975
        (0.5, Action.LEAVE, Reason.WITHIN_BOUNDS),
        (0.64, Action.LEAVE, Reason.WITHIN_BOUNDS),
        (0.9, Action.LOWER, Reason(0)),  # over 0.6447
        (NAN, Action.SET, Reason.NO_REQUEST_KNOWN),
    ],
)
def test_what_to_do(request_cores: float, action: Action, reason: Reason) -> None:
    """Against bounds of 0.4975 and 0.6447 around a target of 0.575."""
    workload = Workload(cpu={0.5: 100}, days=8, signals={"cpu_request_cores": request_cores})
    result = decide(profiles(workload), None, policy())
    assert result["action"][0, 0] == action
    assert reasons(result, 0) == Reason.PERCENTILE | Reason.MARGIN | reason


def test_close_to_the_target_is_close_enough() -> None:
    """Bounds without widening would end at 0.575 after long history; 0.62 is 8 % over the target and not worth it."""
    workload = Workload(cpu={0.5: 100}, days=32, signals={"cpu_request_cores": 0.62})
    result = decide(profiles(workload), None, policy())
    assert result["upper"][0, 0] == pytest.approx(0.575 * (1 + 1 / 32.25))
    assert result["action"][0, 0] == Action.LEAVE
    assert reasons(result, 0) & Reason.HYSTERESIS


def test_a_missing_signal_is_a_reason_and_no_number() -> None:
    """No memory was ever reported: nothing is said of it, and CPU is sized all the same."""
    result = decide(profiles(Workload(memory=[])), None, policy())
    assert result["action"][0].tolist() == [Action.SET, Action.INSUFFICIENT]
    assert np.isnan([result[name][0, 1] for name in ("target", "lower", "upper", "estimate", "limit_target")]).all()
    assert reasons(result, 1) == Reason.SIGNAL_MISSING


def test_too_few_rows_say_nothing() -> None:
    result = decide(profiles(Workload(rows=2)), None, policy())
    assert result["action"][0].tolist() == [Action.INSUFFICIENT] * 2
    assert reasons(result, 0) == Reason.SHORT_HISTORY


def test_an_hour_of_history_has_wide_bounds_and_lowers_nothing() -> None:
    """1 GiB seen for an hour: target 1.15 GiB, upper 1.15 * 4.43 GiB. A request of 16 GiB is above it, but stays."""
    hour = 1 / 24
    result = decide(profiles(Workload(memory=[GIB], days=hour)), None, policy())
    assert result["upper"][0, 1] == pytest.approx(1.15 * GIB * (1 + 1 / (hour + 0.25)))
    assert result["confidence"][0] == pytest.approx(hour / 7)
    signals = {"memory_request_bytes": 16 * GIB}
    result = decide(profiles(Workload(memory=[GIB], days=hour, signals=signals)), None, policy())
    assert result["target"][0, 1] == 16 * GIB
    assert result["estimate"][0, 1] == pytest.approx(1.15 * GIB)
    assert result["action"][0, 1] == Action.LEAVE
    assert reasons(result, 1) & Reason.SHORT_HISTORY


def test_an_oom_kill_is_answered_and_not_fed() -> None:
    """Killed at 1 GiB: (1 GiB * 1.2) * 1.15 = 1.38 GiB. Killed there again with 1.38 GiB seen: 1.9 GiB, no more.

    Each bump starts from memory that was really in use, so a kill at the same usage gives the same answer for ever.
    """
    once = profiles(Workload(memory=[GIB] * 3, oom_days_ago=0.1, oom_peak=GIB))
    first = decide(once, None, policy())
    assert first["target"][0, 1] == pytest.approx(1.38 * GIB)
    assert first["lower"][0, 1] == GIB
    assert reasons(first, 1) & Reason.OOM_BUMP
    assert decide(once, first, policy())["target"].tolist() == first["target"].tolist()
    again = profiles(Workload(memory=[1.38 * GIB, GIB, GIB], oom_days_ago=0.0, oom_peak=1.38 * GIB))
    assert decide(again, first, policy())["target"][0, 1] == pytest.approx(1.38 * 1.38 * GIB)


def test_silence_is_marked() -> None:
    """Two days without telemetry while its neighbours went on: the recommendation describes the past."""
    slab = profiles(Workload(silent_days=2), Workload(id="prod/shop/Deployment/api/main"))
    result = decide(slab, None, policy())
    assert reasons(result, 0, row=0) & Reason.STALE
    assert not reasons(result, 0, row=1) & Reason.STALE


def test_an_empty_slab_has_no_recommendations() -> None:
    assert len(decide(profiles(), None, policy())) == 0


def test_only_the_declared_fields_are_read() -> None:
    """What the service decodes is enough."""
    slab = profiles(Workload())
    narrow = Columns(
        tuple(f for f in slab.table if f.name in PROFILE_FIELDS_READ),
        slab.workloads,
        {name: slab[name] for name in PROFILE_FIELDS_READ},
    )
    assert_same(decide(narrow, None, policy()), decide(slab, None, policy()))


def test_targets_follow_their_workload_when_a_slab_grows() -> None:
    """A standing target of 1 core is found by id, though its row moved; the new workload has none."""
    web, api = Workload(cpu={0.8: 100}, id="a/b/c/web/"), Workload(cpu={0.5: 100}, id="a/b/c/api/")
    before = decide(profiles(web), None, policy())
    held = dataclasses.replace(web, cpu={0.83: 100})  # 4 % more: within hysteresis
    after = decide(profiles(api, held), before, policy(n=2))
    assert after["target"][1, 0] == before["target"][0, 0]
    assert after["target"][0, 0] == pytest.approx(0.575)


@given(FLEETS)
@settings(deadline=None)
def test_bounds_contain_the_target_and_ratios_are_ratios(fleet: list[Workload]) -> None:
    result = decide(profiles(*fleet), None, policy())
    said = ~np.isnan(result["target"])
    assert (result["lower"][said] <= result["target"][said]).all()
    assert (result["target"][said] <= result["upper"][said]).all()
    assert ((result["action"] == Action.INSUFFICIENT) == ~said).all()
    for name in ("expected_slack_ratio", "overrun_risk_ratio"):
        assert ((result[name][said] >= 0) & (result[name][said] <= 1 + 1e-6)).all()
    assert ((result["confidence"] >= 0) & (result["confidence"] <= 1)).all()
    assert np.isfinite(result["upper"][said]).all()


@given(FLEETS)
@settings(deadline=None)
def test_memory_covers_every_peak_in_view(fleet: list[Workload]) -> None:
    """With no cap below it, the memory target is never under the highest daily peak, whatever else policy does."""
    slab = profiles(*fleet)
    result = decide(slab, None, policy())
    peak = np.fmax.reduce(slab["daily_peak"][:, 1].astype(np.float64), axis=1)
    said = ~np.isnan(result["target"][:, 1])
    assert (result["target"][said, 1] >= peak[said]).all()
    assert (result["lower"][said, 1] >= peak[said]).all()


@given(FLEETS, st.floats(0.01, 10), st.floats(1, 100))
@settings(deadline=None)
def test_floors_and_caps_hold(fleet: list[Workload], floor: float, times: float) -> None:
    """Whatever was seen, nothing leaves the range that policy allows."""
    allowed = policy(cpu_floor_cores=floor, cpu_cap_cores=floor * times)
    result = decide(profiles(*fleet), None, allowed)
    for name in ("target", "lower", "upper"):
        said = result[name][:, 0][~np.isnan(result[name][:, 0])]
        assert ((said >= floor) & (said <= floor * times)).all()


@given(WORKLOADS, st.integers(0, 31), st.floats(1.0, 10.0), CORES)
@settings(deadline=None)
def test_more_usage_never_gives_a_smaller_target(workload: Workload, day: int, factor: float, cores: float) -> None:
    """A higher peak on any day, or CPU samples above all others, lower nothing. Growth is left out: a higher old peak is
    less growth."""
    plain = policy(memory_growth_days=0.0)
    memory = [peak * factor if age == day else peak for age, peak in enumerate(workload.memory)]
    top = max(workload.cpu, default=0.0)
    more = dataclasses.replace(workload, memory=memory, cpu={**workload.cpu, top + cores: 10})
    before, after = (decide(profiles(each), None, plain) for each in (workload, more))
    for name in ("estimate", "target"):
        known = ~np.isnan(before[name][0])
        assert (after[name][0][known] >= before[name][0][known] * (1 - 1e-9)).all()


@given(WORKLOADS)
@settings(deadline=None)
def test_growth_only_ever_adds(workload: Workload) -> None:
    slab = profiles(workload)
    with_growth, without = (decide(slab, None, policy(memory_growth_days=days)) for days in (7.0, 0.0))
    assert not (with_growth["target"] < without["target"]).any()


@given(FLEETS)
@settings(deadline=None)
def test_many_at_once_equal_one_by_one(fleet: list[Workload]) -> None:
    """A row does not depend on its neighbours, bit for bit."""
    slab = profiles(*fleet)
    together = decide(slab, None, policy(), NOW_MS)
    for row in range(len(slab)):
        alone = decide(slab.take(np.array([row])), None, policy(), NOW_MS)
        assert_same(alone, together.take(np.array([row])))


@given(FLEETS, FLEETS)
@settings(deadline=None)
def test_deciding_again_changes_nothing(before: list[Workload], fleet: list[Workload]) -> None:
    """Whatever stood before, a decision taken twice on the same profiles is the same, bit for bit."""
    earlier = profiles(*before)
    n = min(len(before), len(fleet))
    standing = decide(earlier, None, policy()).take(np.arange(n))
    slab = profiles(*fleet[:n])
    first = decide(slab, standing, policy())
    assert_same(decide(slab, first, policy()), first)


@given(st.lists(st.floats(0.96, 1.04), min_size=5, max_size=20))
@settings(deadline=None)
def test_noise_does_not_move_a_target(noise: list[float]) -> None:
    """Usage that wobbles by 4 % either way is within 10 % of whatever target came first: it moves once, never again."""
    result: Columns | None = None
    targets = set()
    for factor in noise:
        slab = profiles(Workload(cpu={0.5 * factor: 100}, memory=[GIB * factor]))
        result = decide(slab, result, policy(memory_margin_ratio=0.2))
        targets.add((result["target"][0, 0], result["target"][0, 1]))
    assert len(targets) == 1


@given(BYTES, st.integers(-6, 6))
@settings(deadline=None)
def test_memory_scales_with_its_unit(peak: float, power: int) -> None:
    """Twice the bytes, twice the target, exactly, as long as no absolute number of policy is touched."""
    peak = max(peak, 64 * 16 * MIB)
    factor = 2.0**power
    one, many = (decide(profiles(Workload(memory=[size] * 5)), None, policy()) for size in (peak, peak * factor))
    for name in ("target", "lower", "upper"):
        assert many[name][0, 1] == one[name][0, 1] * factor


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_no_content_of_a_slab_stops_the_recommender(seed: int) -> None:
    """Any bits in any column, as a profiler gone wrong might write them: a decision comes out, and no number in it is
    infinite where policy has a cap."""
    random = np.random.default_rng(seed)
    slab = profiles(*[Workload()] * 4)
    arrays = {
        name: np.frombuffer(random.bytes(values.nbytes), dtype=values.dtype).reshape(values.shape)
        for name, values in slab.arrays.items()
    }
    with np.errstate(all="ignore"):
        result = decide(Columns(slab.table, slab.workloads, arrays), None, policy())
    assert not np.isinf(result["target"]).any()
    assert set(result["action"].ravel().tolist()) <= set(Action)


def assert_same(left: Columns, right: Columns) -> None:
    assert list(left.workloads) == list(right.workloads)
    for field in RECOMMENDATION_FIELDS:
        assert left[field.name].dtype == field.dtype
        assert left[field.name].tobytes() == right[field.name].tobytes(), field.name
