"""The smallest slice within the slowdown, with memory as a hard limit, and a reason for every refusal."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hardware.mig_table import GIB, MIG_GPUS
from models.speed.carried import carried_model
from models.speed.signals import WholeGpuSignals
from recommender.mig.choose import GpuWorkload, SliceAdvice, SlicePolicy, choose_slice, slice_shares
from recommender.mig.memory import MemorySeen, memory_need
from recommender.mig.spread import spread

MODEL = carried_model()
A100 = MIG_GPUS["A100-40"]
LIGHT = GpuWorkload(WholeGpuSignals(60.0, 250.0, 0.005, 0.2), MemorySeen(2 * GIB))
HEAVY = GpuWorkload(WholeGpuSignals(245.0, 250.0, 0.8, 0.97), MemorySeen(2 * GIB))


def slices(workload: GpuWorkload) -> int:
    profile = choose_slice(workload, A100, MODEL).profile
    assert profile is not None
    return profile.compute_slices


def codes(workload: GpuWorkload) -> list[str]:
    return [because.code for because in choose_slice(workload, A100, MODEL).because]


def test_a_light_job_gets_a_slice_and_a_heavy_one_keeps_the_gpu() -> None:
    """60 W of 250 and 20 % busy against 245 W and 97 %."""
    light, heavy = choose_slice(LIGHT, A100, MODEL), choose_slice(HEAVY, A100, MODEL)
    assert light.action == "slice"
    assert light.profile is not None
    assert light.speeds[light.profile.key] >= 1 / 1.1
    assert (heavy.action, heavy.profile) == ("whole", A100.whole)


def test_memory_is_a_hard_limit() -> None:
    """The light job with a 15 GiB peak: 2g has 9.62 GiB, 3g 19.5."""
    assert choose_slice(replace(LIGHT, memory=MemorySeen(15 * GIB)), A100, MODEL).profile is A100.profile("3g")


def test_a_measured_speed_decides_over_the_prediction() -> None:
    """The heavy job ran at 0.95 on 3g: 3g it is; at 0.80 it stays on the whole GPU."""
    assert choose_slice(replace(HEAVY, probes={"3g": 0.95}), A100, MODEL).profile is A100.profile("3g")
    assert choose_slice(replace(HEAVY, probes={"3g": 0.80}), A100, MODEL).profile is A100.whole


def test_near_the_line_one_probe_on_one_slice_is_asked_for() -> None:
    """With the line put at the speed predicted for 2g, 2g is to be measured; once it is, nothing is asked."""
    speed = choose_slice(LIGHT, A100, MODEL).speeds["2g"]
    policy = SlicePolicy(max_slowdown_ratio=1 / (speed - 0.001) - 1)
    advice = choose_slice(LIGHT, A100, MODEL, policy)
    assert advice.probe == "2g"
    assert not advice.safe
    assert "near-the-line" in [because.code for because in advice.because]
    assert choose_slice(replace(LIGHT, probes={"2g": speed}), A100, MODEL, policy).probe == ""


@pytest.mark.parametrize(
    ("workload", "code"),
    [
        (replace(LIGHT, gpus=4), "multi-gpu"),
        (replace(LIGHT, mig_profile="3g.20gb"), "on-mig"),
        (replace(LIGHT, shared=True), "shared-gpu"),
        (replace(LIGHT, memory=MemorySeen(None)), "memory-unknown"),
    ],
)
def test_what_cannot_be_sized_is_refused_with_a_reason(workload: GpuWorkload, code: str) -> None:
    """No profile, and one sentence with the mend."""
    advice = choose_slice(workload, A100, MODEL)
    assert (advice.action, advice.profile) == ("refused", None)
    assert [because.code for because in advice.because] == [code]


def test_a_gpu_without_mig_is_refused() -> None:
    """A T4, or one whose profiles nobody knows."""
    assert choose_slice(LIGHT, None, MODEL).because[0].code == "no-mig"


def test_four_gpus_that_would_fit_on_one_are_told_so() -> None:
    """4 x 2 GiB are 8 GiB: one A100 holds them."""
    assert "try it on one" in choose_slice(replace(LIGHT, gpus=4), A100, MODEL).because[0].sentence


def test_a_missing_signal_is_taken_at_its_worst_and_a_probe_is_asked_for() -> None:
    """Without power the light job could be heavy: the answer waits for a measurement."""
    advice = choose_slice(replace(LIGHT, signals=replace(LIGHT.signals, power_watts=None)), A100, MODEL)
    assert "signals-missing" in [because.code for because in advice.because]
    assert advice.speeds["2g"] <= choose_slice(LIGHT, A100, MODEL).speeds["2g"]


def test_utilisation_of_another_source_is_not_used() -> None:
    """DCGM's engine activity is not NVML's utilisation."""
    advice = choose_slice(replace(LIGHT, telemetry_source="dcgm"), A100, MODEL)
    assert "other-source" in [because.code for because in advice.because]
    assert advice.action == "probe"


def test_two_measured_slices_both_hold() -> None:
    """3g measured at 0.95 and 2g at 0.60: 3g it is, and 1g is not above 2g."""
    advice = choose_slice(replace(HEAVY, probes={"3g": 0.95, "2g": 0.60}), A100, MODEL)
    assert advice.profile is A100.profile("3g")
    assert (advice.speeds["3g"], advice.speeds["2g"]) == (0.95, 0.60)
    assert advice.speeds["1g"] <= 0.60


def on_h100(busy: float, power: float = 90.0, **changed: Any) -> SliceAdvice:
    signals = WholeGpuSignals(power, 700.0, busy, busy)
    job = GpuWorkload(signals, MemorySeen(4 * GIB), gpu_model="NVIDIA H100 80GB HBM3", **changed)
    return choose_slice(job, MIG_GPUS["H100-80"], MODEL)


def test_on_another_board_clear_answers_need_no_measurement() -> None:
    """Busy 3 % of the time it gets the smallest slice, 97 % the whole GPU, both without a probe. The model's board is named,
    and that its error is reckoned with exp(hypot(ln 1.6, ln 1.4)) = 1.8 times."""
    idle, busy = on_h100(0.03), on_h100(0.97, 650.0)
    assert (idle.action, idle.profile, idle.probe) == ("slice", MIG_GPUS["H100-80"].profile("1g"), "")
    assert (busy.action, busy.profile, busy.probe) == ("whole", MIG_GPUS["H100-80"].whole, "")
    said = {because.code: because.sentence for because in idle.because}["other-gpu"]
    assert "A100-PCIe-40" in said
    assert "1.8 times" in said


def test_on_another_board_the_advice_is_safe_and_says_what_might_do() -> None:
    """Busy 4 %: 1g loses 5 % as predicted, and with 1.8 times that loss it is beyond 10 %: the next size is given, and 1g is
    to be tried. At 20 % no slice is safe: it is measured first. A measurement decides."""
    low, middle = on_h100(0.04), on_h100(0.20, 150.0)
    assert (low.action, low.profile, low.probe) == ("slice", MIG_GPUS["H100-80"].profile("1gx2m"), "1g")
    assert low.lowest["1g"] < 1 / 1.1 <= low.speeds["1g"]
    assert "1g.20gb is safe, a smaller one may do" in low.because[-1].sentence
    assert middle.action == "probe"
    assert (low.safe, middle.safe) == (True, True)  # the whole GPU is safe
    measured = on_h100(0.20, 150.0, probes={"3g": 0.97})
    assert (measured.action, measured.profile) == ("slice", MIG_GPUS["H100-80"].profile("3g"))


def test_what_carries_over_are_boards_of_one_name() -> None:
    """An A100-SXM-40 is cut like the A100-PCIe-40 of the model, but its 400 W make another share of the same power."""
    assert "other-gpu" in codes(replace(LIGHT, gpu_model="NVIDIA A100-SXM4-40GB"))
    assert "other-gpu" not in codes(replace(LIGHT, gpu_model="NVIDIA A100-PCIE-40GB"))


@given(st.floats(0.001, 1), st.floats(1, 4), st.floats(0, 1))
def test_a_wider_error_never_narrows_and_the_prediction_is_within(speed: float, factor: float, more: float) -> None:
    """lowest <= predicted <= highest, further apart with a larger factor."""
    (low, high), (lower, higher) = (spread({"s": speed}, f) for f in (factor, factor + more))
    assert lower["s"] <= low["s"] <= speed + 1e-12
    assert speed - 1e-12 <= high["s"] <= higher["s"] <= 1


def test_reserved_memory_is_told_from_needed_memory() -> None:
    """A flat 36 of 40 GiB is a reservation; 6 GiB that the framework names are the need."""
    held = MemorySeen(36 * GIB, held_median_bytes=36 * GIB, total_bytes=40 * GIB)
    assert memory_need(held).basis == "reserved"
    assert memory_need(replace(held, held_median_bytes=20 * GIB)).basis == "held"
    named = memory_need(replace(held, needed_peak_bytes=6 * GIB))
    assert (named.basis, named.bytes) == ("needed", 6 * GIB)


@given(st.floats(0, 250), st.floats(0, 1), st.floats(0, 1), st.floats(1, 80), st.floats(1, 2))
def test_more_demand_never_gets_a_smaller_slice(
    power: float, memory: float, busy: float, gib: float, up: float
) -> None:
    """Power, memory traffic, time busy and memory held all up to twice as much."""
    less = GpuWorkload(WholeGpuSignals(power, 250.0, memory, busy), MemorySeen(gib * GIB))
    raised = WholeGpuSignals(min(power * up, 250.0), 250.0, min(memory * up, 1.0), min(busy * up, 1.0))
    assert slices(GpuWorkload(raised, MemorySeen(gib * GIB * up))) >= slices(less)


@given(st.floats(0, 250), st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_stricter_policy_never_gets_a_smaller_slice(p: float, m: float, u: float, strict: float, more: float) -> None:
    """10 % allowed slowdown against 20 %."""
    workload = GpuWorkload(WholeGpuSignals(p, 250.0, m, u), MemorySeen(GIB))
    tight, loose = (choose_slice(workload, A100, MODEL, SlicePolicy(s)).profile for s in (strict, strict + more))
    assert tight is not None
    assert loose is not None
    assert tight.compute_slices >= loose.compute_slices


@given(st.sampled_from(sorted(MIG_GPUS)), st.floats(0, 250), st.floats(0, 1), st.floats(0, 1))
def test_on_every_board_a_larger_slice_is_never_predicted_slower(board: str, p: float, m: float, u: float) -> None:
    """Larger: no less compute and no less memory, by SM counts where the board tells them."""
    gpu = MIG_GPUS[board]
    speeds = choose_slice(GpuWorkload(WholeGpuSignals(p, 250.0, m, u), MemorySeen(GIB)), gpu, MODEL).speeds
    shares = {profile.key: tuple(row) for profile, row in zip(gpu.sizes, slice_shares(gpu, gpu.sizes), strict=True)}
    for small, large in permutations(speeds, 2):
        if shares[small][0] <= shares[large][0] and shares[small][1] <= shares[large][1]:
            assert speeds[small] <= speeds[large] + 1e-12
