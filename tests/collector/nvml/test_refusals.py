"""What NVML refuses becomes a missing value with a reason; never a crash, and never a handle of what is gone."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.collector.nvml.conftest import Node
from tests.collector.nvml.found import API, MACHINE, POSTGRES, coverage, gpu, row, rows
from tests.collector.nvml.machines import (
    A100,
    A100_UUID,
    DRIVER_NOT_LOADED,
    FUNCTION_NOT_FOUND,
    GIB,
    GPU_IS_LOST,
    H100,
    LIB_RM_VERSION_MISMATCH,
    MIG_2G,
    MIG_3G,
    NO_PERMISSION,
    NOT_READY,
    NOT_SUPPORTED,
    RESET_REQUIRED,
    T4,
    T4_UUID,
    TIMEOUT,
    UNINITIALIZED,
    UNKNOWN,
    a100_mig,
    h100,
    h100_mig,
    h100_uuid,
    mig,
    t4,
)

Make = Callable[[Mapping[str, object]], Node]

_CALLS = sorted(set(re.findall(r"^int (nvml\w+)\(", (Path(__file__).parent / "nvml.c").read_text(), re.MULTILINE)))
_OPENING = {"nvmlInitWithFlags", "nvmlDeviceGetCount_v2"}
_ASKED = [call for call in _CALLS if call not in {"nvmlShutdown", *_OPENING}]
_IDENTITY = {"nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetUUID", "nvmlDeviceGetName", "nvmlDeviceGetPciInfo_v3"}


@pytest.mark.parametrize("code", [NOT_SUPPORTED, NO_PERMISSION, UNKNOWN, TIMEOUT, FUNCTION_NOT_FOUND, NOT_READY])
def test_one_call_that_fails_costs_its_own_values_alone(bare: Make, code: int) -> None:
    """Every function of the library, with every error that is not the end of a GPU: power is still there, unless it is
    the power that is refused, or the GPU cannot say who it is; and everything that is missing has a reason."""
    for call in _ASKED:
        machine = bare(h100_mig() | {f"error.{call}": code})
        for _ in range(3):
            reading = machine.read(10_000)
        if call not in {*_IDENTITY, "nvmlDeviceGetPowerUsage"}:
            assert rows(reading)[MACHINE, h100_uuid(0)]["power_watts"] == pytest.approx(650.0), call
        assert all(line.seen or line.reason for line in coverage(reading).values()), call


@pytest.mark.parametrize("code", [GPU_IS_LOST, RESET_REQUIRED])
def test_a_gpu_may_go_away_in_the_middle_of_any_call(bare: Make, code: int) -> None:
    """The other three go on, whatever call of the third finds it gone."""
    for call in _ASKED:
        machine = bare(h100(4))
        machine.read()
        machine.library.set({f"gpu.2.error.{call}": code})
        for _ in range(3):
            reading = machine.read(10_000)
        assert {h100_uuid(0), h100_uuid(1), h100_uuid(3)} <= {uuid for _, uuid in rows(reading)}, call


@pytest.mark.parametrize("code", [UNINITIALIZED, DRIVER_NOT_LOADED])
@pytest.mark.parametrize("opened", [False, True])
def test_the_driver_may_go_away_in_the_middle_of_any_call(bare: Make, code: int, opened: bool) -> None:
    """While the library is opened, or while it is read: no rows, a reason, and rows again a minute after it is back."""
    for call in [*_ASKED, "nvmlShutdown"]:
        machine = bare(h100_mig())
        if opened:
            machine.read()
        machine.library.set({f"error.{call}": code})
        machine.read(10_000)
        machine.library.set({f"error.{call}": ""})
        machine.read(61_000)
        assert (MACHINE, h100_uuid(0)) in rows(machine.read()), call


def test_counters_do_not_go_on_over_a_long_absence(bare: Make) -> None:
    """The driver was away for an hour: no row describes that hour."""
    machine = bare(t4())
    machine.read()
    machine.library.set({"error.nvmlDeviceGetUtilizationRates": UNINITIALIZED})
    machine.read()
    machine.library.set({"error.nvmlDeviceGetUtilizationRates": ""})
    assert rows(machine.read(3_600_000)) == {}
    assert row(machine.read())["energy_joules"] == pytest.approx(68.0)


def test_a_gpu_that_falls_off_the_bus_is_said_once_to_who_had_it(node: Make) -> None:
    """Its holder gets a gpu-error, its row ends, the node lists it no more and the coverage says what to do."""
    machine = node(h100(2))
    machine.read()
    machine.read()
    reading = machine.read(**{"gpu.0.error.*": GPU_IS_LOST})
    (event,) = reading.events
    assert (event.kind, event.workload, event.node) == ("gpu-error", POSTGRES, "n1")
    assert event.details == {"gpu": h100_uuid(0), "error": "lost", "code": "GPU_IS_LOST"}
    assert [uuid for _, uuid in rows(reading)] == [h100_uuid(1)]
    assert gpu(reading).uuid == h100_uuid(1)
    line = coverage(reading)["nvml", "gpu"]
    assert not line.seen
    assert h100_uuid(0) in line.reason
    assert "reboot" in line.reason
    assert not machine.read().events
    assert machine.library.samples_held == 2, "those of the one that is left"


def test_a_lost_gpu_is_looked_for_again_every_minute(node: Make) -> None:
    """The library is opened anew after 60 s; the GPU that came back has rows again, and the other's counters went on."""
    machine = node(h100(2))
    machine.read()
    machine.read(**{"gpu.0.error.*": GPU_IS_LOST})
    assert len(rows(machine.read(30_000))) == 1
    machine.read(60_000, **{"gpu.0.error.*": ""})
    reading = machine.read()
    assert {uuid for _, uuid in rows(reading)} == {h100_uuid(0), h100_uuid(1)}
    assert {line.signal for line in coverage(machine.read(10_000)).values() if line.source == "nvml"} == {
        "xid", "ecc", "workload",
    }  # fmt: skip


def test_a_gpu_that_cannot_even_be_opened_leaves_the_others(node: Make) -> None:
    """It has no UUID to name it by: its number stands for it."""
    machine = node(h100(2) | {"gpu.1.error.nvmlDeviceGetHandleByIndex_v2": GPU_IS_LOST})
    machine.read()
    reading = machine.read(10_000)
    assert [uuid for _, uuid in rows(reading)] == [h100_uuid(0)]
    assert "number 1" in coverage(reading)["nvml", "gpu"].reason


def test_a_driver_that_is_unloaded_is_one_line_until_it_is_back(node: Make) -> None:
    """Every call answers UNINITIALIZED: no rows, one reason; a minute later the library is opened again."""
    machine = node(t4())
    machine.read()
    machine.read()
    gone = {f"error.{call}": UNINITIALIZED for call in _CALLS if call not in _OPENING}
    machine.library.set(gone | {"error.nvmlInitWithFlags": DRIVER_NOT_LOADED})
    reading = machine.read()
    assert rows(reading) == {}
    assert [line.signal for line in coverage(reading).values()] == ["*"]
    assert machine.read(1_000).node is None
    reading = machine.read(61_000)
    assert "modprobe nvidia" in coverage(reading)["nvml", "*"].reason
    machine.library.set(dict.fromkeys(gone, "") | {"error.nvmlInitWithFlags": ""})
    machine.read(61_000)
    assert (API, T4_UUID) in rows(machine.read())


@pytest.mark.parametrize(
    ("facts", "mend"),
    [
        ({}, "modprobe nvidia"),
        ({"gpus": 1, "error.nvmlInitWithFlags": LIB_RM_VERSION_MISMATCH}, "reboot"),
        ({"gpus": 1, "error.nvmlInitWithFlags": UNKNOWN}, "dmesg"),
        ({"gpus": 1, "error.nvmlDeviceGetCount_v2": NO_PERMISSION}, "root"),
        ({"gpus": 0}, "no GPU in this machine"),
    ],
)
def test_without_gpus_the_node_says_so_in_one_line(node: Make, facts: dict[str, object], mend: str) -> None:
    """No row, no event, no error of the source: one line of coverage with the mend."""
    machine = node(facts)
    reading = machine.read()
    (line,) = coverage(reading).values()
    assert (line.source, line.signal, line.seen) == ("nvml", "*", False)
    assert mend in line.reason
    assert not reading.events
    assert rows(reading) == {}
    assert machine.read(1_000).node is None, "it is said again when it changes, and every 10 s"


def test_a_machine_without_the_library_does_not_even_load_pynvml() -> None:
    """pynvml is 3 MB: a node without a GPU does not pay for it."""
    script = (
        "import sys\nfrom collector.nvml.driver import Nvml\nfrom collector.nvml.refusals import NvmlError\n"
        "import collector.nvml.driver as d\nd.LIBRARY = 'libnvidia-ml.so.of-no-machine'\n"
        "try:\n    Nvml()\nexcept NvmlError as error:\n    print(error.code, 'pynvml' in sys.modules, error)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("LIBRARY_NOT_FOUND False nvmlInit answers LIBRARY_NOT_FOUND: no NVIDIA driver here")


def test_what_can_never_be_answered_is_asked_once(node: Make) -> None:
    """NOT_SUPPORTED holds as long as the driver runs, so the T4 is not asked for MIG again; NO_PERMISSION may change."""
    machine = node(t4() | {"gpu.0.error.nvmlDeviceGetPowerUsage": NO_PERMISSION})
    machine.read()
    machine.read()
    machine.library.set({"gpu.0.error.nvmlDeviceGetPowerUsage": "", "gpu.0.mig_mode": 1})
    reading = machine.read(10_000)
    assert row(reading)["power_watts"] == pytest.approx(68.5)
    assert not gpu(reading).mig_enabled


def test_mig_switched_on_between_two_reads(node: Make) -> None:
    """The whole GPU's row becomes the machine's, and each MIG device's first row comes with its second read."""
    machine = node(h100())
    machine.read()
    assert set(rows(machine.read())) == {(POSTGRES, h100_uuid(0))}
    machine.library.set(h100_mig())
    assert set(rows(machine.read())) == {(MACHINE, h100_uuid(0))}
    assert set(rows(machine.read())) == {(MACHINE, h100_uuid(0)), (API, MIG_3G), (POSTGRES, MIG_2G)}
    machine.library.set({"gpu.0.mig_mode": 0, "mig.0.0.uuid": "", "mig.0.1.uuid": "", "gpu.0.processes": "4001:9"})
    assert set(rows(machine.read())) == {(POSTGRES, h100_uuid(0))}
    assert machine.library.samples_held == 2


def test_a_mig_device_made_anew_in_the_same_place_is_another_one(node: Make) -> None:
    """Index and GPU instance are the old one's, the UUID is not: nothing of the old one is asked or counted on."""
    machine = node(h100_mig())
    machine.read()
    machine.read()
    new = "MIG-99999999-0000-0000-0000-000000000000"
    machine.library.set(mig(0, 0, new, 2, 4, 40, 1, H100))
    assert set(rows(machine.read())) == {(MACHINE, h100_uuid(0)), (POSTGRES, MIG_2G)}
    found = rows(machine.read())
    assert found[API, new]["framebuffer_used_bytes"] == GIB
    assert (API, MIG_3G) not in found


def test_a_mig_device_that_goes_away_while_it_is_read_has_no_row(node: Make) -> None:
    """Listed, then INVALID_ARGUMENT for its memory: the layout changed in between."""
    machine = node(a100_mig())
    machine.read()
    machine.read()
    machine.library.set({"mig.0.0.error.nvmlDeviceGetMemoryInfo_v2": 2})
    assert set(rows(machine.read())) == {(MACHINE, A100_UUID), (POSTGRES, MIG_2G)}


def test_every_missing_signal_has_its_reason(bare: Make) -> None:
    """A T4 and an A100 with MIG: what is seen is said to be, what is not says what would show it."""
    machine = bare(t4())
    for _ in range(6):
        lines = coverage(machine.read(10_000))
    assert lines[f"nvml/{T4}", "power_watts"].seen
    assert lines[f"nvml/{T4}", "pcie_transmit_bytes_per_s"].seen
    assert "GPM needs Hopper" in lines[f"nvml/{T4}", "sm_active_ratio"].reason
    assert not lines[f"nvml/{T4}", "nvlink_transmit_bytes_per_s"].seen
    machine = bare(a100_mig())
    machine.read()
    lines = coverage(machine.read(10_000))
    assert "under MIG" in lines[f"nvml/{A100}", "gpu_utilization_ratio"].reason
    assert "whole GPU only" in lines[f"nvml/{A100} MIG", "power_watts"].reason
    assert "row of its own" in lines[f"nvml/{A100}", "framebuffer_used_bytes"].reason
    assert lines[f"nvml/{A100} MIG", "framebuffer_used_bytes"].seen


def test_permission_that_is_missing_says_so(node: Make) -> None:
    """In a container without rights NVML refuses processes and placements."""
    refused = ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2")
    machine = node(a100_mig() | {f"error.{call}": NO_PERMISSION for call in (*refused, "nvmlDeviceGetGpuInstanceById")})
    machine.read()
    reading = machine.read(10_000)
    assert "hostPID" in coverage(reading)["nvml", "workload"].reason
    assert {place.start for place in gpu(reading).mig} == {None}
    assert {workload for workload, _ in rows(reading)} == {MACHINE}
