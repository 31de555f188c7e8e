"""A MIG profile in the words of those who hand it out."""

from __future__ import annotations

from collections.abc import Mapping

from models.hardware.geometry import MigProfile


def kubernetes_resource(profile: MigProfile, count: int = 1) -> Mapping[str, str]:
    """Extended resource of NVIDIA's device plugin, strategy `mixed`: `+` is not allowed in its name and becomes `.`."""
    return {f"nvidia.com/mig-{profile.name.replace('+', '.')}": str(count)}


def dra_selector(profile: MigProfile) -> str:
    """CEL expression for a Kubernetes DRA request of DeviceClass `mig.nvidia.com`."""
    return f"device.attributes['gpu.nvidia.com'].profile == '{profile.name}'"


def slurm_gres(profile: MigProfile, count: int = 1) -> str:
    """Slurm `--gres` with the GPU type that AutoDetect=nvml gives a MIG instance."""
    return f"gpu:{profile.name}:{count}"
