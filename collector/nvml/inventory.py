"""What a GPU is: its facts, what it can be cut into, and how near the others are."""

from __future__ import annotations

from collections.abc import Sequence

from collector.host.files import read_if_there
from collector.nvml.driver import GPU_INSTANCE_PROFILES, P2P_NVLINK, P2P_OK, Handle, Nvml
from collector.nvml.gpu import Facts, Gpu
from collector.nvml.refusals import NvmlError, Patience
from models.hardware.discovered import DiscoveredProfile
from models.inventory import Gpu as GpuEntry
from models.inventory import GpuLink

_MOST_PLACEMENTS = 16
_LEVELS = ((20, "pcie-switch"), (40, "numa"))
"""Highest NVML_TOPOLOGY_* level of a kind; above it only the link between processors joins the two."""


def facts(nvml: Nvml, index: int, handle: Handle) -> Facts:
    """Raises NvmlError when the GPU cannot even say who it is."""
    patience = Patience(nvml)
    pci = nvml.ask("nvmlDeviceGetPciInfo", handle)
    memory = patience.ask("memory", "nvmlDeviceGetMemoryInfo", handle)
    return Facts(
        index=index,
        uuid=nvml.ask("nvmlDeviceGetUUID", handle),
        model=nvml.ask("nvmlDeviceGetName", handle),
        memory_bytes=0 if memory is None else int(memory.total),
        pci_bus_id=_bus_id(pci.busId),
        pci_device_id=f"{pci.pciDeviceId >> 16:04X}",
        minor=patience.ask("minor", "nvmlDeviceGetMinorNumber", handle),
    )


def links(nvml: Nvml, gpus: Sequence[Gpu]) -> dict[str, tuple[GpuLink, ...]]:
    """By UUID, how near every other GPU is. Pairs that NVML does not tell of are left out."""
    found: dict[str, list[GpuLink]] = {gpu.facts.uuid: [] for gpu in gpus}
    for i, one in enumerate(gpus):
        for other in gpus[i + 1 :]:
            if kind := _kind(nvml, one.handle, other.handle):
                found[one.facts.uuid].append(GpuLink(other.facts.uuid, kind))
                found[other.facts.uuid].append(GpuLink(one.facts.uuid, kind))
    return {uuid: tuple(near) for uuid, near in found.items()}


def profiles(nvml: Nvml, gpu: Gpu) -> tuple[DiscoveredProfile, ...]:
    """What this very board and driver can cut the GPU into; empty without MIG, or when only root is told."""
    if not gpu.patience.may("mig"):
        return ()
    found = (_profile(nvml, gpu.handle, kind) for kind in range(GPU_INSTANCE_PROFILES))
    return tuple(profile for profile in found if profile is not None)


def entry(gpu: Gpu, near: tuple[GpuLink, ...], cuts: tuple[DiscoveredProfile, ...], sys: str) -> GpuEntry:
    """The GPU as the node's inventory tells of it."""
    facts = gpu.facts
    return GpuEntry(
        uuid=facts.uuid,
        model=facts.model,
        memory_bytes=facts.memory_bytes,
        pci_bus_id=facts.pci_bus_id,
        pci_device_id=facts.pci_device_id,
        numa_node=_numa_node(sys, facts.pci_bus_id),
        mig_enabled=gpu.mig.enabled,
        mig=gpu.mig.inventory(),
        mig_profiles=cuts,
        links=near,
    )


def _bus_id(nvml: bytes | str) -> str:
    """NVML writes `00000000:17:00.0`, the kernel `0000:17:00.0`."""
    text = nvml.decode() if isinstance(nvml, bytes) else nvml
    domain, _, rest = text.lower().partition(":")
    return f"{domain[-4:]}:{rest}"


def _numa_node(sys: str, bus_id: str) -> int | None:
    """-1 is the kernel's word for a machine without NUMA."""
    text = read_if_there(f"{sys}/bus/pci/devices/{bus_id}/numa_node")
    return int(text) if text and int(text) >= 0 else None


def _kind(nvml: Nvml, one: Handle, other: Handle) -> str:
    """`nvlink` also where a switch joins them: NVML answers for the path, not for the cable."""
    try:
        if nvml.ask("nvmlDeviceGetP2PStatus", one, other, P2P_NVLINK) == P2P_OK:
            return "nvlink"
    except NvmlError:
        pass
    try:
        level = nvml.ask("nvmlDeviceGetTopologyCommonAncestor", one, other)
    except NvmlError:
        return ""
    return next((kind for highest, kind in _LEVELS if level <= highest), "system")


def _profile(nvml: Nvml, handle: Handle, kind: int) -> DiscoveredProfile | None:
    """None for a kind that this board does not have."""
    try:
        info = nvml.ask("nvmlDeviceGetGpuInstanceProfileInfo", handle, kind)
        placements = nvml.placements(handle, info.id, _MOST_PLACEMENTS)
    except NvmlError:
        return None
    name = info.name.decode() if isinstance(info.name, bytes) else info.name
    return DiscoveredProfile(
        name=name.removeprefix("MIG "),
        profile_id=info.id,
        compute_slices=info.sliceCount,
        max_instances=info.instanceCount,
        memory_bytes=info.memorySizeMB << 20,
        multiprocessors=info.multiprocessorCount,
        placements=tuple(placements),
    )
