"""XIDs and memory errors become events of the workloads that they hit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.collector.nvml.conftest import Node
from tests.collector.nvml.found import API, MACHINE, POSTGRES, coverage
from tests.collector.nvml.machines import GPU_IS_LOST, NO_PERMISSION, UNKNOWN, a100_mig, h100, h100_uuid, t4

Make = Callable[[Mapping[str, object]], Node]


def test_an_xid_is_told_to_the_holder_of_the_gpu(node: Make) -> None:
    """XID 79 on GPU 0, once; the next read has none."""
    machine = node(h100(2))
    machine.read()
    machine.read()
    (event,) = machine.read(xid="0 79").events
    assert (event.kind, event.workload) == ("gpu-error", POSTGRES)
    assert event.details == {"gpu": h100_uuid(0), "error": "xid", "xid": "79"}
    assert event.time_ms == machine.now.wall_ms
    assert not machine.read().events


def test_the_xid_of_a_gpu_that_falls_off_the_bus_is_not_lost_with_it(node: Make) -> None:
    """XID 79 comes when the GPU can no longer say who it is: its holder is told of both."""
    machine = node(h100(2))
    machine.read()
    machine.read()
    events = machine.read(xid="0 79", **{"gpu.0.error.*": GPU_IS_LOST}).events
    assert [event.details["error"] for event in events] == ["xid", "lost"]
    assert {(event.workload, event.details["gpu"]) for event in events} == {(POSTGRES, h100_uuid(0))}


def test_an_xid_of_a_gpu_instance_hits_its_holder_alone(node: Make) -> None:
    """Instance 2 is api's; one of the whole GPU hits both, and the machine that has the rest of it."""
    machine = node(a100_mig())
    machine.read()
    machine.read()
    assert [event.workload for event in machine.read(xid="0 31 2").events] == [API]
    assert {event.workload for event in machine.read(xid="0 94").events} == {API, POSTGRES, MACHINE}


def test_an_xid_of_a_gpu_that_nobody_holds_is_the_machines(node: Make) -> None:
    """Nothing is lost because nobody has it."""
    machine = node(t4() | {"gpu.0.processes": ""})
    assert [event.workload for event in machine.read(xid="0 62").events] == [MACHINE]


def test_new_memory_errors_are_counted_and_old_ones_are_not(node: Make) -> None:
    """1 uncorrected error stood there before. Within 30 s two more come, and 5 corrected ones."""
    machine = node(h100() | {"gpu.0.ecc_uncorrected": 1})
    machine.read()
    assert not machine.read().events
    machine.library.set({"gpu.0.ecc_uncorrected": 3, "gpu.0.ecc_corrected": 5})
    events = machine.read(30_000).events
    assert [(event.details["error"], event.details["count"]) for event in events] == [
        ("ecc-corrected", "5"),
        ("ecc-uncorrected", "2"),
    ]
    assert {event.workload for event in events} == {POSTGRES}
    assert not machine.read(30_000).events


def test_where_errors_cannot_be_told_of_the_coverage_says_so(node: Make) -> None:
    """No permission for events; a T4 whose ECC is off."""
    machine = node(t4() | {"gpu.0.error.nvmlDeviceRegisterEvents": NO_PERMISSION, "gpu.0.ecc_uncorrected": ""})
    lines = coverage(machine.read())
    assert "root" in lines["nvml", "xid"].reason
    assert not lines["nvml", "ecc"].seen


def test_errors_that_the_driver_stops_telling_of_are_a_gap_in_coverage(node: Make) -> None:
    """Waiting for events fails for a while: no XID can be told of, which is not the same as that there is none."""
    machine = node(h100())
    assert coverage(machine.read())["nvml", "xid"].seen
    assert not coverage(machine.read(10_000, error__nvmlEventSetWait_v2=UNKNOWN))["nvml", "xid"].seen
    assert coverage(machine.read(10_000, error__nvmlEventSetWait_v2=""))["nvml", "xid"].seen
