"""Rows of GPUs and MIG devices: every signal in its base unit, from the cheapest call that gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from tests.collector.nvml.conftest import Node
from tests.collector.nvml.found import API, MACHINE, POSTGRES, column, row, rows
from tests.collector.nvml.machines import (
    A100,
    A100_UUID,
    GIB,
    GPM,
    H100,
    MIG_2G,
    MIG_3G,
    T4_UUID,
    a100_mig,
    h100,
    h100_mig,
    h100_uuid,
    t4,
)

Make = Callable[[Mapping[str, object]], Node]


def test_a_t4_gives_what_nvml_alone_can(node: Make) -> None:
    """37 % is 0.37, 68,500 mW are 68.5 W, 1,590 MHz are 1.59e9 Hz, 68,000 mJ/s over 1 s are 68 J. It has no GPM, no
    NVLink and no counter of throttled time: the reasons (0x4, the power cap) say what holds its clocks down now."""
    machine = node(t4())
    assert rows(machine.read()) == {}, "the first read has no span to describe"
    reading = machine.read()
    assert rows(reading) == {
        (API, T4_UUID): {
            "gpu_utilization_ratio": pytest.approx(0.37),
            "memory_copy_utilization_ratio": pytest.approx(0.12),
            "framebuffer_used_bytes": 3 * GIB,
            "framebuffer_total_bytes": 16 * GIB,
            "power_watts": pytest.approx(68.5),
            "power_limit_watts": pytest.approx(70.0),
            "sm_clock_hertz": 1.59e9,
            "memory_clock_hertz": 5e9,
            "energy_joules": pytest.approx(68.0),
            "power_throttled_ratio": 1.0,
            "thermal_throttled_ratio": 0.0,
            "gpu_sharers": 1.0,
        }
    }
    assert column(reading, "gpu_model") == ["Tesla T4"]
    assert [list(batch.interval_ms) for batch in reading.batches] == [[1_000]]


def test_the_call_that_waits_for_the_bus_is_made_every_fifth_time(node: Make) -> None:
    """2,048 KiB/s are 2**21 B/s. Each such call watches the bus for 20 ms, so 10 reads hold 2 of them."""
    machine = node(t4())
    machine.read()
    seen = [row(machine.read()) for _ in range(10)]
    told = [values["pcie_transmit_bytes_per_s"] for values in seen if "pcie_transmit_bytes_per_s" in values]
    assert told == [2**21, 2**21]
    assert sum("pcie_receive_bytes_per_s" in values for values in seen) == 2


def test_gpm_tells_of_the_units_of_an_h100(node: Make) -> None:
    """Percent become shares; 100 MiB/s to the host are 104,857,600 B/s; 500 ms of power cap in a second are 0.5."""
    machine = node(h100())
    machine.read()
    values = row(machine.read())
    names = ["graphics_engine", "sm", "", "tensor", "dram", "fp64", "fp32", "fp16"]
    for name, percent in zip(names, GPM.values(), strict=True):
        signal = f"{name}_active_ratio" if name else "sm_occupancy_ratio"
        assert values[signal] == pytest.approx(percent / 100)
    assert values["pcie_transmit_bytes_per_s"] == 100 * 2**20
    assert values["pcie_receive_bytes_per_s"] == 200 * 2**20
    assert values["nvlink_receive_bytes_per_s"] == 3_000 * 2**20
    assert values["nvlink_transmit_bytes_per_s"] == 4_000 * 2**20
    assert values["power_throttled_ratio"] == pytest.approx(0.5)


def test_gpm_keeps_its_sample_from_read_to_read(node: Make) -> None:
    """Reads 60 ms apart: every second one has the 100 ms that NVML wants between two samples; two samples in all."""
    machine = node(h100())
    machine.read()
    assert ["sm_active_ratio" in row(machine.read(60)) for _ in range(6)] == [False, True] * 3
    assert machine.library.samples_held == 2


def test_a_metric_that_gpm_refuses_or_has_no_data_for_is_missing_alone(node: Make) -> None:
    """FP64 answers UNKNOWN and DRAM is not a number: the other six ratios are there."""
    machine = node(h100() | {"gpu.0.gpm.11.error": 999, "gpu.0.gpm.10": "nan"})
    machine.read()
    values = row(machine.read())
    assert {"fp64_active_ratio", "dram_active_ratio"} & values.keys() == set()
    assert {"sm_active_ratio", "tensor_active_ratio", "fp32_active_ratio"} <= values.keys()


def test_a_ratio_just_above_1_is_1(node: Make) -> None:
    """Two clocks differ a little: 100.4 % of the time is all of it. 2e15 B/s over PCIe is no measurement."""
    machine = node(h100() | {"gpu.0.gpm.2": 100.4, "gpu.0.gpm.20": 2_000_000_000})
    machine.read()
    values = row(machine.read())
    assert values["sm_active_ratio"] == 1.0
    assert "pcie_transmit_bytes_per_s" not in values


def test_what_a_cut_gpu_says_as_a_whole_goes_to_the_machine_and_the_rest_to_its_parts(node: Make) -> None:
    """Power, clocks and links belong to all MIG devices together: one row of the machine. Memory belongs to each.
    1,024 KiB/s over NVLink are 2**20 B/s; 250e6 ns of power cap a second are 0.25."""
    machine = node(a100_mig())
    machine.read()
    reading = machine.read()
    found = rows(reading)
    assert found[API, MIG_3G] == {
        "framebuffer_used_bytes": 5 * GIB,
        "framebuffer_total_bytes": 20 * GIB,
        "gpu_sharers": 1.0,
    }
    assert found[POSTGRES, MIG_2G]["framebuffer_total_bytes"] == 10 * GIB
    whole = found[MACHINE, A100_UUID]
    assert whole["power_watts"] == pytest.approx(310.0)
    assert whole["nvlink_transmit_bytes_per_s"] == 2**20
    assert whole["pcie_receive_bytes_per_s"] == 3e6
    assert whole["power_throttled_ratio"] == pytest.approx(0.25)
    assert "framebuffer_used_bytes" not in whole
    assert sorted(column(reading, "mig_profile")) == ["", "2g.10gb", "3g.20gb"]
    assert column(reading, "gpu_model") == [A100] * 3


def test_gpm_tells_of_each_gpu_instance_and_the_gpu_of_its_links(node: Make) -> None:
    """The 3g instance is at 80 % SM, the 2g at 10 %; PCIe has no owner among them."""
    machine = node(h100_mig())
    machine.read()
    found = rows(machine.read())
    assert found[API, MIG_3G]["sm_active_ratio"] == pytest.approx(0.8)
    assert found[POSTGRES, MIG_2G]["sm_active_ratio"] == pytest.approx(0.1)
    assert found[MACHINE, h100_uuid(0)]["pcie_transmit_bytes_per_s"] == 100 * 2**20
    assert "sm_active_ratio" not in found[MACHINE, h100_uuid(0)]


def test_two_compute_instances_of_one_gpu_instance_are_not_told_apart_by_guessing(node: Make) -> None:
    """Memory and GPM are of the GPU instance: neither of its two MIG devices is given them."""
    shared = {"mig.0.1.gi": 2, "mig.0.1.ci": 1, "mig.0.1.name": f"{H100} MIG 1c.3g.40gb"}
    machine = node(h100_mig() | shared | {"gpu.0.processes": f"4101:{GIB}:2:0 4001:{GIB}:2:1"})
    machine.read()
    found = rows(machine.read())
    assert found[API, MIG_3G] == {"gpu_sharers": 1.0}
    assert found[POSTGRES, MIG_2G] == {"gpu_sharers": 1.0}


def test_eight_gpus_make_eight_rows(node: Make) -> None:
    """Each by its UUID; process 4001 holds the first, the others' processes are of no workload here."""
    machine = node(h100(8))
    machine.read()
    reading = machine.read()
    assert column(reading, "gpu_uuid") == [h100_uuid(i) for i in range(8)]
    assert column(reading, "workload") == [POSTGRES] + [MACHINE] * 7


def test_counters_of_32_bits_are_not_read(node: Make) -> None:
    """At 50 GB/s one wraps eleven times a second: what it says is noise."""
    machine = node(a100_mig() | {"gpu.0.field.197.type": 1})
    machine.read()
    whole = rows(machine.read())[MACHINE, A100_UUID]
    assert "pcie_transmit_bytes_per_s" not in whole
    assert whole["pcie_receive_bytes_per_s"] == 3e6


@pytest.mark.parametrize("kind", [0, 4, 5])
def test_counters_of_no_unsigned_kind_are_not_read(node: Make, kind: int) -> None:
    """A double, or a signed number, whose bits are read as a count would be terabytes a second."""
    machine = node(a100_mig() | {"gpu.0.field.197.type": kind})
    machine.read()
    whole = rows(machine.read())[MACHINE, A100_UUID]
    assert "pcie_transmit_bytes_per_s" not in whole
    assert whole["pcie_receive_bytes_per_s"] == 3e6


def test_a_counter_that_was_reset_counts_from_zero(node: Make) -> None:
    """The driver was loaded anew: 5,000 mJ since are 5 J, not a negative number and not 2**64."""
    machine = node(t4())
    machine.read()
    machine.read()
    assert row(machine.read(gpu__0__field__83=5_000))["energy_joules"] == 5.0


def test_a_restarted_collector_goes_on_from_the_newest_read(node: Make) -> None:
    """3 s between the last read of one process and the first of the next: one row of 3 s with 3 * 68 J."""
    machine = node(t4())
    machine.read()
    machine.read()
    saved = machine.source.state()
    machine.source.close()
    machine.source = machine.fresh_source()
    machine.ms += 3_000
    machine.source.restore(saved, machine.now)
    reading = machine.read(0)
    assert row(reading)["energy_joules"] == pytest.approx(3 * 68.0)
    assert [list(batch.interval_ms) for batch in reading.batches] == [[3_000]]


@pytest.mark.parametrize("saved", [b"", b"rubbish", b"\x93\x01\x80"])
def test_unusable_state_is_ignored(node: Make, saved: bytes) -> None:
    """The first read then has no row, as at a first start."""
    machine = node(t4())
    machine.source.restore(saved, machine.now)
    assert rows(machine.read()) == {}


def test_state_from_before_a_long_gap_is_ignored(node: Make) -> None:
    """Over max_gap_s (600 s) one row would describe a span that nobody watched."""
    machine = node(t4())
    machine.read()
    saved = machine.source.state()
    machine.source.close()
    machine.source = machine.fresh_source()
    machine.ms += 601_000
    machine.source.restore(saved, machine.now)
    assert rows(machine.read(0)) == {}


def test_old_drivers_answer_the_older_calls(node: Make) -> None:
    """A driver before 510 has no memory v2 and no process list v3; its `used` holds 300 MiB of its own."""
    missing = ("nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetComputeRunningProcesses_v3")
    machine = node(t4() | {f"gpu.0.error.{call}": 13 for call in missing})
    machine.read()
    assert rows(machine.read())[API, T4_UUID]["framebuffer_used_bytes"] == 3 * GIB + (300 << 20)
