"""A MIG profile in the words of those who hand it out. Profiles by the name that NVML prints, `3g.40gb`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from models.hardware.discovery import find_gpu

WHOLE_GPU = "nvidia.com/gpu"
_MIG = "nvidia.com/mig-"
_PROFILE = re.compile(r"(?:\d+c\.)?\d+g\.\d+gb(?:\.[a-z.]+)?")


def kubernetes_resource(profile: str, count: int = 1) -> Mapping[str, str]:
    """Extended resource of NVIDIA's device plugin, strategy `mixed`: `+` is not allowed in its name and becomes `.`.
    An empty profile is the whole GPU."""
    return {f"{_MIG}{profile.replace('+', '.')}" if profile else WHOLE_GPU: str(count)}


def mig_profile_of(resource: str) -> str | None:
    """The profile whose extended resource this is: `1g.10gb+me` of `nvidia.com/mig-1g.10gb.me`. None: it is another one."""
    found = _PROFILE.fullmatch(resource.removeprefix(_MIG)) if resource.startswith(_MIG) else None
    return re.sub(r"\.(?=[a-z])", "+", found[0]) if found else None


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
