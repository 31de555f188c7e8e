"""What the node says of its GPUs: model, memory, place, MIG layout, what they can be cut into, and who is near whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from collector.nodes import joined
from models.hardware.discovery import find_gpu, mig_of
from models.inventory import Allocation, Coverage, Disk, Gpu, GpuLink, MigInstance, Node
from tests.collector.nvml.conftest import Node as Machine
from tests.collector.nvml.found import gpu
from tests.collector.nvml.machines import A100, A100_UUID, GIB, MIG_2G, MIG_3G, a100_mig, h100, h100_uuid, t4

Make = Callable[[Mapping[str, object]], Machine]


def test_a_cut_a100_says_what_stands_on_it_and_what_could(node: Make) -> None:
    """2g.10gb at slice 0, 3g.20gb at slice 4. The profiles are the driver's own, and win over the table."""
    found = gpu(node(a100_mig()).read())
    assert (found.uuid, found.model, found.memory_bytes) == (A100_UUID, A100, 40 * GIB)
    assert found.mig_enabled
    assert found.mig == (MigInstance(MIG_2G, "2g.10gb", 0), MigInstance(MIG_3G, "3g.20gb", 4))
    cut = mig_of(found.model, found.pci_device_id, found.mig_profiles)
    assert cut is not None
    assert cut.source == "nvml"
    assert [(p.name, p.starts, p.multiprocessors) for p in cut.profiles] == [
        ("1g.5gb", (0, 1, 2, 3, 4, 5, 6), 14),
        ("2g.10gb", (0, 2, 4), 28),
        ("3g.20gb", (0, 4), 42),
    ]


def test_a_gpu_is_found_in_the_catalogue_by_the_id_that_the_bus_gives(node: Make) -> None:
    """NVML's 0x1EB810DE is device 1EB8 of vendor 10DE: a T4."""
    found = gpu(node(t4()).read())
    assert found.pci_device_id == "1EB8"
    model = find_gpu("", found.pci_device_id)
    assert model is not None
    assert model.name == "T4"


def test_the_bus_id_is_the_kernels_and_leads_to_the_numa_node(node: Make) -> None:
    """NVML's 00000000:17:00.0 is the kernel's 0000:17:00.0; -1 there means no NUMA."""
    machine = node(t4())
    machine.write("sys/bus/pci/devices/0000:17:00.0/numa_node", "1\n")
    found = gpu(machine.read())
    assert (found.pci_bus_id, found.numa_node) == ("0000:17:00.0", 1)
    machine.write("sys/bus/pci/devices/0000:17:00.0/numa_node", "-1\n")
    assert gpu(machine.read(10_000)).numa_node is None


@pytest.mark.parametrize(
    ("level", "kind"),
    [(0, "pcie-switch"), (10, "pcie-switch"), (20, "pcie-switch"), (30, "numa"), (40, "numa"), (50, "system")],
)
def test_without_nvlink_the_bus_says_how_near_two_gpus_are(node: Make, level: int, kind: str) -> None:
    """NVML_TOPOLOGY_INTERNAL to _SYSTEM; a host bridge or a NUMA node is as near as `numa`."""
    facts = h100(2) | {"nvlink.0.1": "", "nvlink.1.0": "", "level.0.1": level}
    reading = node(facts).read()
    assert reading.node is not None
    assert [found.links for found in reading.node.gpus] == [
        (GpuLink(h100_uuid(1), kind),),
        (GpuLink(h100_uuid(0), kind),),
    ]


def test_eight_h100_are_all_joined_by_nvlink(node: Make) -> None:
    """8 * 7 links."""
    reading = node(h100(8)).read()
    assert reading.node is not None
    kinds = [link.kind for found in reading.node.gpus for link in found.links]
    assert kinds == ["nvlink"] * 56


def test_one_node_is_made_of_what_two_sources_know() -> None:
    """The host knows processors and requests, NVML the GPUs; the coverage of both stands side by side."""
    host = Node(
        "c", "n", 5, cpu_cores=4.0, disks=(Disk("sda"),), allocations=(Allocation("w", "i", 2.0), Allocation("v", "j", 1.0)),
        coverage=(Coverage("host/cgroup", "cpu_cores", True),),
    )  # fmt: skip
    nvml = Node(
        "c", "n", 6, gpus=(Gpu("G", "H100", 80),), allocations=(Allocation("w", "i", gpu_uuids=("G",)),),
        coverage=(Coverage("nvml", "xid", True),),
    )  # fmt: skip
    for parts in ([host, nvml], [nvml, host]):
        node = joined(parts)
        assert (node.time_ms, node.cpu_cores, node.disks, node.gpus) == (6, 4.0, host.disks, nvml.gpus)
        assert set(node.coverage) == {*host.coverage, *nvml.coverage}
        assert set(node.allocations) == {Allocation("w", "i", 2.0, None, ("G",)), Allocation("v", "j", 1.0)}
    assert joined([host]) == host
