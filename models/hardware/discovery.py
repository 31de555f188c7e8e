"""Which GPU is this, and what can it be cut into: the table by name or PCI id, and NVML's own word over the table."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache

from models.hardware.discovered import DiscoveredProfile
from models.hardware.geometry import MigGpu, MigProfile
from models.hardware.gpus import GPU_MODELS, GpuModel

_NOISE = re.compile(r"\b(nvidia|tesla|amd|google|graphics)\b|[-_/ ]+")
_SHARE_OF_NAME = re.compile(r"\s+mig\s.*", re.IGNORECASE)


class InvalidProfileError(ValueError):
    """A discovered MIG profile that cannot be read. The message names the field, the value and the mend."""


@lru_cache(maxsize=1024)  # pure, and asked for every node of a cluster at every placement
def find_gpu(nvml_name: str = "", pci_device_id: str = "") -> GpuModel | None:
    """The table's row, by PCI device id first (it is exact), else by NVML name. None: the table does not know it.

    pci_device_id: `20B5`, `0x20B5` or NVML's 32-bit form `20B510DE`, in any case.
    """
    device = pci_device_id.upper().removeprefix("0X")[:4]
    by_id = next((gpu for gpu in GPU_MODELS if device and device in gpu.pci_device_ids), None)
    return by_id or _by_name(nvml_name)


def code_of(nvml_name: str) -> int:
    """A number for the table's row of this name, the same in every program; 0: the table does not know it."""
    model = find_gpu(nvml_name)
    return zlib.crc32(model.name.encode()) if model else 0


def name_of(code: int) -> str:
    """The name in the table behind a number of `code_of`; empty when it does not know it."""
    return next((gpu.name for gpu in GPU_MODELS if zlib.crc32(gpu.name.encode()) == code), "")


def mig_of(nvml_name: str, pci_device_id: str = "", discovered: Sequence[DiscoveredProfile] = ()) -> MigGpu | None:
    """What this GPU can be cut into. NVML's profiles win whole over the table; None: neither knows of MIG here."""
    if discovered:
        return from_nvml(discovered)
    model = find_gpu(nvml_name, pci_device_id)
    return model.mig if model else None


def from_nvml(discovered: Sequence[DiscoveredProfile]) -> MigGpu:
    """The geometry that NVML reports. Raises InvalidProfileError for a profile without placements or size."""
    profiles = sorted((_profile(found) for found in discovered), key=lambda p: (p.compute_slices, p.memory_slices))
    return MigGpu(
        compute_slices=max(profile.compute_slices for profile in profiles),
        memory_slices=max(profile.memory_slices for profile in profiles),
        profiles=_with_keys(profiles),
        source="nvml",
    )


def _profile(found: DiscoveredProfile) -> MigProfile:
    name = found.name.removeprefix("MIG ").strip()
    if not found.placements or not re.match(r"\d+g\.", name):
        raise InvalidProfileError(
            f"MIG profile {found.name!r} has placements {found.placements!r}; "
            "it needs a name such as '3g.40gb' and at least one (start, size): read it again from NVML"
        )
    return MigProfile(
        key=_key(name),
        name=name,
        compute_slices=found.compute_slices,
        memory_slices=max(size for _, size in found.placements),
        starts=tuple(sorted(start for start, _ in found.placements)),
        max_instances=found.max_instances,
        memory_bytes=found.memory_bytes,
        multiprocessors=found.multiprocessors,
        nvml_profile_id=found.profile_id,
    )


def _key(name: str) -> str:
    """`3g.40gb+me` gives `3g+me`."""
    return re.sub(r"\.\d+gb", "", name)


def _with_keys(profiles: Sequence[MigProfile]) -> tuple[MigProfile, ...]:
    """Two plain profiles of one compute size differ in memory: the one with twice the memory slices is `1gx2m`."""
    smallest: dict[str, int] = {}
    for profile in profiles:
        smallest[profile.key] = min(smallest.get(profile.key, profile.memory_slices), profile.memory_slices)
    return tuple(_renamed(profile, profile.memory_slices // smallest[profile.key]) for profile in profiles)


def _renamed(profile: MigProfile, times: int) -> MigProfile:
    if times < 2:
        return profile
    size, plus, variant = profile.key.partition("+")
    fields = {name: getattr(profile, name) for name in MigProfile.__slots__}
    return MigProfile(**{**fields, "key": f"{size}x{times}m{plus}{variant}"})


def _plain_name(name: str) -> str:
    return _NOISE.sub("", _SHARE_OF_NAME.sub("", name).lower())


def _by_name(nvml_name: str) -> GpuModel | None:
    wanted = _plain_name(nvml_name)
    return next((gpu for gpu in GPU_MODELS if wanted and wanted in map(_plain_name, (gpu.name, *gpu.nvml_names))), None)
