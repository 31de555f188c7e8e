"""MIG layouts that change while the GPU is watched, and drivers that do not tell of them for a moment."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.collector.nvml.conftest import Node
from tests.collector.nvml.found import API, MACHINE, POSTGRES, column, coverage, gpu, rows
from tests.collector.nvml.machines import (
    GIB,
    H100,
    MIG_2G,
    MIG_3G,
    NOT_SUPPORTED,
    UNKNOWN,
    Facts,
    h100,
    h100_mig,
    h100_uuid,
)

Make = Callable[[Facts], Node]
CUT = {(MACHINE, h100_uuid(0)), (API, MIG_3G), (POSTGRES, MIG_2G)}
WHOLE_ONLY = {"gpu.0.error.nvmlGpmSampleGet": NOT_SUPPORTED, "gpu.0.util_gpu": "", "gpu.0.util_memory": ""}
"""What a driver refuses of a GPU that is cut: samples of the whole, and utilization."""


def test_a_gpu_that_is_whole_again_says_what_it_refused_while_it_was_cut(node: Make) -> None:
    """Hopper switches MIG off without a reset. GPM and utilization, which were NOT_SUPPORTED under MIG, are there again."""
    machine = node(h100_mig() | WHOLE_ONLY)
    machine.read()
    machine.read()
    machine.library.set({key: h100().get(key, "") for key in WHOLE_ONLY})
    machine.library.set({"gpu.0.mig_mode": 0, "mig.0.0.uuid": "", "mig.0.1.uuid": "", "gpu.0.processes": f"4001:{GIB}"})
    machine.read()
    reading = machine.read(10_000)
    (values,) = rows(reading).values()
    assert values["gpu_utilization_ratio"] == pytest.approx(0.93)
    assert values["sm_active_ratio"] == pytest.approx(0.5)
    assert coverage(reading)[f"nvml/{H100}", "sm_active_ratio"].seen


@pytest.mark.parametrize("call", ["nvmlDeviceGetMigMode", "nvmlDeviceGetMaxMigDeviceCount"])
def test_a_layout_that_is_not_told_once_is_the_one_before(node: Make, call: str) -> None:
    """UNKNOWN for one read: the parts keep their rows, and nobody is told to share the whole GPU."""
    machine = node(h100_mig())
    machine.read()
    assert set(rows(machine.read())) == CUT
    during = machine.read(10_000, **{f"gpu__0__error__{call}": UNKNOWN})
    assert set(rows(during)) == CUT
    assert gpu(during).mig_enabled
    assert len(gpu(during).mig) == 2
    assert set(rows(machine.read(**{f"gpu__0__error__{call}": ""}))) == CUT


def test_a_driver_without_handles_of_mig_devices_still_says_that_the_gpu_is_cut(node: Make) -> None:
    """NOT_SUPPORTED for each handle, as in some containers: no part has a row, and the machine is given no part's memory."""
    machine = node(h100_mig() | {"gpu.0.error.nvmlDeviceGetMigDeviceHandleByIndex": NOT_SUPPORTED})
    machine.read()
    reading = machine.read(10_000)
    assert gpu(reading).mig_enabled
    ((key, values),) = rows(reading).items()
    assert key == (MACHINE, h100_uuid(0))
    assert "framebuffer_used_bytes" not in values


def test_another_size_under_the_same_uuid_is_another_device(node: Make) -> None:
    """A 3g.40gb is destroyed and a 4g.40gb made in its place between two reads; UUID, GPU and compute instance are the same.
    Its first row comes with its second read, as of any new device, and the inventory names its size."""
    machine = node(h100_mig())
    machine.read()
    assert "3g.40gb" in column(machine.read(), "mig_profile")
    machine.library.set({"mig.0.0.name": f"{H100} MIG 4g.40gb"})
    assert set(column(machine.read(), "mig_profile")) == {"", "2g.20gb"}
    reading = machine.read(10_000)
    assert set(column(reading, "mig_profile")) == {"", "4g.40gb", "2g.20gb"}
    assert {part.profile for part in gpu(reading).mig} == {"4g.40gb", "2g.20gb"}
