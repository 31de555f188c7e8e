"""Whose a GPU is: by process, cgroup and the kubelet's grants; and what is said when several share one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from collector.kubelet.grants import Grant
from collector.nvml.source import NvmlSource
from tests.collector.nvml.conftest import Node
from tests.collector.nvml.found import API, MACHINE, POSTGRES, coverage, row, rows
from tests.collector.nvml.machines import GIB, MIG_2G, MIG_3G, NO_PERMISSION, T4_UUID, a100_mig, h100, h100_uuid, t4

Make = Callable[[Mapping[str, object]], Node]
SHOP = Grant("shop", "api-7d9c8b6f5-x2k4m", "api", T4_UUID)


def grant(source: NvmlSource, *grants: Grant) -> None:
    """What the kubelet answers; how it is asked is tested in tests/collector/kubelet."""
    source._grants.read = lambda now_ms: grants  # type: ignore[method-assign]


def test_a_process_leads_by_its_cgroup_to_the_name_that_the_host_source_gives(node: Make) -> None:
    """4101 runs in a container of a Deployment's pod; the GPU row has the very workload and instance of its CPU row."""
    machine = node(t4())
    machine.read()
    reading = machine.read()
    assert list(rows(reading)) == [(API, T4_UUID)]
    (batch,) = reading.batches
    assert batch.keys["instance"] == ["aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/bbbbbbbbbbbb"]


def test_two_workloads_on_one_gpu_share_nothing_but_the_device(node: Make) -> None:
    """Time slicing: 2 GiB of api and 1 GiB of postgres, whose kernels ran 30 + 20 % and 10 % of the time. Each has its
    own; power, clocks and memory copies of the device are the machine's; no signal but the count stands in two rows."""
    processes = f"4101:{GIB} 4102:{3 * GIB} 4001:{GIB}"
    machine = node(t4() | {"gpu.0.processes": processes, "gpu.0.busy": "4101:30 4101:30 4102:20 4001:10"})
    machine.read()
    found = rows(machine.read())
    envoy = API.replace("/api/api", "/api/envoy")
    assert found[API, T4_UUID]["framebuffer_used_bytes"] == GIB
    assert found[envoy, T4_UUID]["framebuffer_used_bytes"] == 3 * GIB
    assert found[API, T4_UUID]["gpu_utilization_ratio"] == pytest.approx(0.3)
    assert found[POSTGRES, T4_UUID]["gpu_utilization_ratio"] == pytest.approx(0.1)
    device = found[MACHINE, T4_UUID]
    assert device["power_watts"] == pytest.approx(68.5)
    assert {values["gpu_sharers"] for values in found.values()} == {3.0}
    for (workload, _), values in found.items():
        assert workload == MACHINE or values.keys() & device.keys() == {"gpu_sharers"}


def test_without_shares_by_process_utilization_stays_the_devices(node: Make) -> None:
    """The driver gives no samples by process: 37 % is said once, of the device, and of nobody in particular."""
    machine = node(t4() | {"gpu.0.processes": f"4101:{GIB} 4001:{GIB}"})
    machine.read()
    told = [who for (who, _), values in rows(machine.read()).items() if "gpu_utilization_ratio" in values]
    assert told == [MACHINE]


def test_several_processes_of_one_workload_are_one_holder(node: Make) -> None:
    """Two workers in one container's cgroup: nothing is shared, and the device's own numbers are the workload's."""
    machine = node(t4() | {"gpu.0.processes": f"4101:{GIB} 4103:{2 * GIB}"})
    machine.write("proc/4103/cgroup", machine.text("proc/4101/cgroup"))
    machine.read()
    values = row(machine.read())
    assert values["gpu_sharers"] == 1.0
    assert values["framebuffer_used_bytes"] == 3 * GIB


def test_clients_of_mps_are_its_holders_and_its_server_is_none(node: Make) -> None:
    """Clients stand in a list of their own; the server has a context for them and is nobody's workload."""
    machine = node(t4() | {"gpu.0.processes": "4102:1000", "gpu.0.mps": f"4101:{GIB}"})
    machine.write("proc/4102/comm", "nvidia-cuda-mps")
    machine.read()
    assert list(rows(machine.read())) == [(API, T4_UUID)]


def test_an_idle_gpu_is_the_machines_and_has_no_sharers(node: Make) -> None:
    """No process: 0 sharers. That is a fact; where processes may not be seen there is no number."""
    machine = node(t4() | {"gpu.0.processes": ""})
    machine.read()
    found = rows(machine.read())
    assert list(found) == [(MACHINE, T4_UUID)]
    assert found[MACHINE, T4_UUID]["gpu_sharers"] == 0.0


def test_a_process_that_nobody_knows_leaves_the_gpu_with_the_machine(node: Make) -> None:
    """Its process id is of another namespace: coverage says hostPID, and no number of sharers is made up."""
    machine = node(t4() | {"gpu.0.processes": f"99999:{GIB}"})
    machine.read()
    reading = machine.read(10_000)
    assert "gpu_sharers" not in rows(reading)[MACHINE, T4_UUID]
    assert "hostPID" in coverage(reading)["nvml", "workload"].reason


def test_a_process_that_changes_hands_is_followed(node: Make) -> None:
    """postgres ends, api begins: the next row is api's."""
    machine = node(h100())
    machine.read()
    assert list(rows(machine.read())) == [(POSTGRES, h100_uuid(0))]
    assert list(rows(machine.read(gpu__0__processes=f"4101:{GIB}"))) == [(API, h100_uuid(0))]


def test_a_granted_gpu_is_its_pods_even_while_no_process_runs(node: Make) -> None:
    """An idle GPU that a pod holds is that pod's waste: the row has the name of the pod's container."""
    machine = node(t4() | {"gpu.0.processes": ""})
    grant(machine.source, SHOP)
    machine.read()
    assert row(machine.read())["gpu_sharers"] == 1.0
    assert list(rows(machine.read())) == [(API, T4_UUID)]


def test_process_and_grant_of_one_container_are_one_holder(node: Make) -> None:
    """Both ways lead to one instance, so that nothing is shared with itself."""
    machine = node(t4())
    grant(machine.source, SHOP)
    machine.read()
    assert row(machine.read())["gpu_sharers"] == 1.0


def test_a_grant_stands_in_where_processes_may_not_be_seen(node: Make) -> None:
    """A collector without rights: the kubelet's word is enough for a GPU that one pod has."""
    refused = {f"error.nvmlDeviceGetComputeRunningProcesses_v{i}": NO_PERMISSION for i in (2, 3)}
    machine = node(t4() | refused)
    grant(machine.source, SHOP)
    machine.read()
    assert list(rows(machine.read())) == [(API, T4_UUID)]


def test_a_mig_device_is_granted_by_its_own_uuid(node: Make) -> None:
    """The plugin of a mixed layout names MIG-..., which is the row's gpu_uuid too."""
    machine = node(a100_mig() | {"gpu.0.processes": ""})
    grant(machine.source, SHOP._replace(device=MIG_3G), SHOP._replace(device=MIG_2G, container="envoy"))
    machine.read()
    assert {uuid: who for who, uuid in rows(machine.read()) if who != MACHINE} == {
        MIG_3G: API,
        MIG_2G: API.replace("/api/api", "/api/envoy"),
    }


def test_the_dra_driver_names_a_gpu_by_its_minor_number(node: Make) -> None:
    """`gpu-0` is the GPU with /dev/nvidia0."""
    machine = node(t4() | {"gpu.0.processes": ""})
    grant(machine.source, SHOP._replace(device="gpu-0"))
    machine.read()
    assert list(rows(machine.read())) == [(API, T4_UUID)]


def test_a_share_that_the_kubelet_granted_is_in_the_inventory(node: Make) -> None:
    """A quarter of the T4."""
    machine = node(t4() | {"gpu.0.processes": ""})
    grant(machine.source, SHOP._replace(share=0.25))
    machine.read()
    reading = machine.read(10_000)
    assert reading.node is not None
    assert [(a.workload, a.gpu_share_ratio) for a in reading.node.allocations] == [(API, 0.25)]


def test_a_container_that_the_host_has_not_named_yet_goes_by_its_pods_name(node: Make) -> None:
    """Its pod's name tells the Deployment; instance is pod and container until the ids are known."""
    machine = node(t4() | {"gpu.0.processes": ""})
    grant(machine.source, Grant("ml", "train-5d4f8c7b9-zz2xk", "main", T4_UUID))
    machine.read()
    reading = machine.read()
    assert list(rows(reading)) == [("prod/ml/Deployment/train/main", T4_UUID)]
    assert reading.batches[0].keys["instance"] == ["train-5d4f8c7b9-zz2xk/main"]


def test_the_inventory_says_who_holds_what(node: Make) -> None:
    """api holds the 3g instance and postgres the 2g; the machine holds nothing."""
    machine = node(a100_mig())
    machine.read()
    reading = machine.read(10_000)
    assert reading.node is not None
    assert {a.workload: a.gpu_uuids for a in reading.node.allocations} == {API: (MIG_3G,), POSTGRES: (MIG_2G,)}
