"""Who gets no MIG slice from whole-GPU telemetry, and why: with what to do instead."""

from __future__ import annotations

from dataclasses import dataclass

from models.hardware.geometry import MigGpu
from recommender.mig.memory import MemoryNeed


@dataclass(frozen=True, slots=True)
class Because:
    """A reason: `code` for machines, `sentence` for people."""

    code: str
    sentence: str


def refusal(gpus: int, mig_profile: str, shared: bool, need: MemoryNeed, gpu: MigGpu | None) -> Because | None:
    """Why MIG sizing cannot answer; None when it can."""
    if gpu is None:
        return Because("no-mig", "this GPU cannot be cut by MIG, or its profiles are not known: let NVML list them")
    if need.bytes is None:
        return Because("memory-unknown", need.sentence)
    if gpus > 1:
        return _multi_gpu(gpus, need, gpu)
    if shared:
        return Because(
            "shared-gpu",
            "others used the GPU at the same time, so its power and utilisation are not this workload's alone: "
            "observe it for one window on a GPU of its own",
        )
    if mig_profile:
        return _on_slice(mig_profile, need, gpu)
    return None


def _multi_gpu(gpus: int, need: MemoryNeed, gpu: MigGpu) -> Because:
    """MIG instances have no peer-to-peer and NCCL sees one of them a process, so a job does not span slices."""
    total, room = gpus * (need.bytes or 0), gpu.whole.memory_bytes
    hint = ""
    if room is not None and total <= room:
        hint = f"; its {gpus} GPUs together hold {total / 2**30:.0f} GiB, which one whole GPU could: try it on one"
    return Because("multi-gpu", f"it uses {gpus} GPUs and MIG slices cannot talk to each other: whole GPUs{hint}")


def _on_slice(mig_profile: str, need: MemoryNeed, gpu: MigGpu) -> Because:
    """A slice hides what the whole GPU would give; only memory is comparable."""
    profile = gpu.profile(mig_profile)
    advice = "its memory fits there; to know whether a smaller one is enough, run it once on the next smaller one"
    if profile.memory_bytes is not None and (need.bytes or 0) > 0.95 * profile.memory_bytes:
        advice = "its memory is at the slice's limit: give it the next larger one"
    return Because("on-mig", f"it already runs on {profile.name}, where NVML reports no utilisation: {advice}")
