"""What the class of a GPU window is, and when there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.bottleneck import COMPUTE, HOST, LINK, MEMORY, POWER, SURE, Bottleneck, Method
from models.signals import GPU_SIGNALS
from tests.profiler.bottleneck.windows import judge

MATH = {"tensor_active_ratio": 0.0, "fp64_active_ratio": 0.0, "fp32_active_ratio": 0.0, "fp16_active_ratio": 0.0}
QUIET = {"pcie_transmit_bytes_per_s": 1e6, "pcie_receive_bytes_per_s": 1e6, "nvlink_transmit_bytes_per_s": 0.0}
FULL = {"gpu_utilization_ratio": 1.0, "sm_active_ratio": 1.0, "power_watts": 450.0} | MATH | QUIET

WITH_COUNTERS = {
    "stream triad: SMs are active, stalled on memory": (
        {"dram_active_ratio": 0.78, "fp64_active_ratio": 0.05},
        Bottleneck.MEMORY_BANDWIDTH,
    ),
    "large matrix product on the tensor pipe": (
        {"dram_active_ratio": 0.35, "tensor_active_ratio": 0.9},
        Bottleneck.COMPUTE,
    ),
    "fp64 solver": ({"dram_active_ratio": 0.4, "fp64_active_ratio": 0.8}, Bottleneck.COMPUTE),
    "both high, memory nearer its ceiling: 0.7 of 0.8 against 0.7 of 0.93": (
        {"dram_active_ratio": 0.75, "tensor_active_ratio": 0.6},
        Bottleneck.MEMORY_BANDWIDTH,
    ),
    "power limit with half of both": (
        {"dram_active_ratio": 0.44, "tensor_active_ratio": 0.48, "power_watts": 690.0},
        Bottleneck.COMPUTE,
    ),
    "power limit, told by NVML": (
        {"dram_active_ratio": 0.44, "tensor_active_ratio": 0.48, "power_throttled_ratio": 0.9},
        Bottleneck.COMPUTE,
    ),
    "short kernels: busy, nothing saturated": (
        {"dram_active_ratio": 0.3, "tensor_active_ratio": 0.2, "sm_active_ratio": 0.6},
        Bottleneck.LATENCY,
    ),
    "nothing runs": ({"gpu_utilization_ratio": 0.0, "dram_active_ratio": 0.0, "power_watts": 120.0}, Bottleneck.IDLE),
    "optimizer on the host: little runs, 2 GB/s of copies": (
        {
            "gpu_utilization_ratio": 0.13,
            "dram_active_ratio": 0.04,
            "pcie_receive_bytes_per_s": 1.4e9,
            "pcie_transmit_bytes_per_s": 0.6e9,
        },
        Bottleneck.IO_HOST_TRANSFER,
    ),
    "copies at 1.4 GB/s beside full work are hidden": (
        {"dram_active_ratio": 0.78, "pcie_receive_bytes_per_s": 1.4e9},
        Bottleneck.MEMORY_BANDWIDTH,
    ),
    "pinned copies fill the link": (
        {"dram_active_ratio": 0.1, "pcie_receive_bytes_per_s": 40e9},
        Bottleneck.IO_HOST_TRANSFER,
    ),
    "all-reduce fills NVLink": (
        {"dram_active_ratio": 0.3, "tensor_active_ratio": 0.2, "nvlink_receive_bytes_per_s": 300e9},
        Bottleneck.IO_GPU_LINK,
    ),
}


@pytest.mark.parametrize("name", WITH_COUNTERS)
def test_with_counters(name: str) -> None:
    """The nearest ceiling decides, in the cases that the vendor's tools and manuals describe."""
    signals, expected = WITH_COUNTERS[name]
    found = judge(FULL | signals)
    assert Bottleneck(found.bottleneck[0]) is expected
    assert found.method[0] == Method.COUNTERS


NVML_ONLY = {
    "memory utilisation full and power half": (
        {"gpu_utilization_ratio": 1.0, "memory_copy_utilization_ratio": 0.98, "power_watts": 420.0},
        Bottleneck.MEMORY_BANDWIDTH,
    ),
    "at the power limit, memory far from full": (
        {"gpu_utilization_ratio": 1.0, "memory_copy_utilization_ratio": 0.3, "power_watts": 695.0},
        Bottleneck.COMPUTE,
    ),
    "busy at a third of the power": (
        {"gpu_utilization_ratio": 1.0, "memory_copy_utilization_ratio": 0.2, "power_watts": 280.0},
        Bottleneck.LATENCY,
    ),
    "nearly all power, nothing else known to be full": (
        {"gpu_utilization_ratio": 1.0, "memory_copy_utilization_ratio": 0.3, "power_watts": 640.0},
        Bottleneck.INSUFFICIENT,
    ),
    "no power: utilisation alone says nothing": (
        {"gpu_utilization_ratio": 1.0, "memory_copy_utilization_ratio": 0.3},
        Bottleneck.INSUFFICIENT,
    ),
    "no utilisation": ({"power_watts": 400.0}, Bottleneck.INSUFFICIENT),
    "nothing at all": ({}, Bottleneck.INSUFFICIENT),
}


@pytest.mark.parametrize("name", NVML_ONLY)
def test_without_counters(name: str) -> None:
    """Physics bounds what the pipes can do; where both answers are possible there is none."""
    signals, expected = NVML_ONLY[name]
    found = judge((QUIET if signals else {}) | signals)
    assert Bottleneck(found.bottleneck[0]) is expected
    assert found.method[0] == Method.PHYSICS


def test_host_copies_that_nobody_counts_forbid_an_answer() -> None:
    """13 % busy at low power is latency or waiting for copies; without PCIe rates nobody can tell. Fully busy, it
    cannot be copies."""
    little = {"gpu_utilization_ratio": 0.13, "memory_copy_utilization_ratio": 0.05, "power_watts": 180.0}
    found = judge(little, little | {"gpu_utilization_ratio": 1.0})
    assert [Bottleneck(code) for code in found.bottleneck] == [Bottleneck.INSUFFICIENT, Bottleneck.LATENCY]


@pytest.mark.parametrize("busy", ["gpu_utilization_ratio", "graphics_engine_active_ratio"])
def test_busy_time_alone_tells_idleness_and_no_more(busy: str) -> None:
    """A pod that shares a GPU: the driver says that its kernels ran for 55 % of the time, and the rest is its neighbour's.
    That no unit can be full on average is no reason to call it latency. 2 % is idle whatever else there is."""
    found = judge({busy: 0.55}, {busy: 0.55, "framebuffer_used_bytes": 1e9}, {busy: 0.02})
    assert [Bottleneck(code) for code in found.bottleneck] == [
        Bottleneck.INSUFFICIENT,
        Bottleneck.INSUFFICIENT,
        Bottleneck.IDLE,
    ]
    quiet = {"memory_copy_utilization_ratio": 0.1} | QUIET
    assert Bottleneck(judge({busy: 0.55} | quiet).bottleneck[0]) is Bottleneck.LATENCY


def test_a_slice_is_not_judged_by_the_power_and_links_of_its_board() -> None:
    """Others on the board draw 690 W and copy 5 GB/s: evidence of a slice holds neither."""
    window = FULL | {"power_watts": 690.0, "pcie_receive_bytes_per_s": 5e9, "dram_active_ratio": 0.2}
    found = judge(window, whole=False)
    assert np.isnan(found.evidence[[HOST, POWER], 0]).all()
    assert Bottleneck(found.bottleneck[0]) is Bottleneck.LATENCY


def test_evidence_is_the_numbers_over_their_ceilings() -> None:
    """0.4 of 0.8 DRAM; 0.465 of 0.93 tensor; (1.2 + 1.8)/6 of pageable copies; 90 of 0.8*450 GB/s NVLink;
    (406 - 112)/(700 - 112) of the power above idle."""
    window = FULL | {
        "dram_active_ratio": 0.4,
        "tensor_active_ratio": 0.465,
        "pcie_transmit_bytes_per_s": 1.2e9,
        "pcie_receive_bytes_per_s": 1.8e9,
        "nvlink_receive_bytes_per_s": 90e9,
        "power_watts": 406.0,
    }
    found = judge(window).evidence[:, 0]
    assert found[[MEMORY, COMPUTE, HOST, LINK, POWER]] == pytest.approx([0.5, 0.5, 0.5, 0.25, 0.5])


def test_a_power_limit_that_was_lowered_counts_and_an_unknown_board_has_none() -> None:
    """345 W are the limit of 350 W; of a board that nobody knows, only NVML's own limit tells."""
    window = FULL | {"dram_active_ratio": 0.4, "tensor_active_ratio": 0.5, "power_watts": 345.0}
    capped = window | {"power_limit_watts": 350.0}
    assert Bottleneck(judge(window).bottleneck[0]) is Bottleneck.LATENCY
    assert Bottleneck(judge(capped).bottleneck[0]) is Bottleneck.COMPUTE
    assert Bottleneck(judge(capped, model="Unheard Of 9000").bottleneck[0]) is Bottleneck.COMPUTE
    assert np.isnan(judge(window, model="Unheard Of 9000").evidence[POWER, 0])


ratios = st.floats(0, 1)
missing = st.just(float("nan"))
WINDOW = st.fixed_dictionaries(
    {
        signal.name: missing | (ratios if signal.unit == "ratio" else st.floats(0, min(signal.high, 1e12)))
        for signal in GPU_SIGNALS
    }
)


@given(st.lists(WINDOW, min_size=1, max_size=8))
def test_a_window_does_not_feel_its_neighbours(windows: list[dict[str, float]]) -> None:
    """Judged together or one by one: the same to the bit, whatever is missing, and no answer under four to one."""
    together = judge(*windows)
    for i, window in enumerate(windows):
        alone = judge(window)
        assert alone.bottleneck[0] == together.bottleneck[i]
        assert alone.confidence[0] == together.confidence[i]
        assert np.array_equal(alone.evidence[:, 0], together.evidence[:, i], equal_nan=True)
    guessed = (together.method == Method.PHYSICS) & (together.bottleneck != Bottleneck.INSUFFICIENT)
    assert (together.confidence[guessed] >= SURE).all()


far_from_lines = st.floats(0, 0.4) | st.floats(0.8, 1.0)


@given(ratios, far_from_lines, far_from_lines)
def test_physics_never_contradicts_the_counters_that_it_lacks(busy: float, c: float, m: float) -> None:
    """Windows by physics' own law: power pays for pipes and memory, NVML's memory utilisation is m. Away from the lines
    (c and m under 0.4 or over 0.8, and apart) the answer without counters is the same, or there is none."""
    assume(abs(c - m) > 0.25 or max(c, m) < 0.5)
    bare = QUIET | {
        "gpu_utilization_ratio": max(busy, c, m),
        "memory_copy_utilization_ratio": m,
        "power_watts": min(112 + 588 * (c + 0.2 * m), 700.0),
    }
    counters = MATH | {"tensor_active_ratio": 0.93 * c, "dram_active_ratio": 0.8 * m}
    told, inferred = judge(bare | counters, bare).bottleneck
    assert inferred in (told, Bottleneck.INSUFFICIENT)
