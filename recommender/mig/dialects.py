"""A MIG profile in the words of those who hand it out. Profiles by the name that NVML prints, `3g.40gb`."""

from __future__ import annotations

from collections.abc import Mapping

from models.hardware.discovery import find_gpu


def kubernetes_resource(profile: str, count: int = 1) -> Mapping[str, str]:
    """Extended resource of NVIDIA's device plugin, strategy `mixed`: `+` is not allowed in its name and becomes `.`.
    An empty profile is the whole GPU."""
    return {f"nvidia.com/mig-{profile.replace('+', '.')}" if profile else "nvidia.com/gpu": str(count)}


def dra_selector(profile: str) -> str:
    """CEL expression for a Kubernetes DRA request of DeviceClass `mig.nvidia.com`."""
    return f"device.attributes['gpu.nvidia.com'].profile == '{profile}'"


def slurm_gres(profile: str, count: int = 1, gpu_model: str = "") -> str:
    """Slurm `--gres`, `gpu:a100_3g.40gb:1`: the type that sites give a slice of an A100, a part of the name that
    AutoDetect=nvml finds, as Slurm asks for. An empty profile is the whole GPU; an unknown model is left out."""
    known = find_gpu(gpu_model)
    family = known.name.partition("-")[0].lower() if known else ""
    kind = "_".join(part for part in (family, profile) if part)
    return f"gpu:{kind}:{count}" if kind else f"gpu:{count}"
