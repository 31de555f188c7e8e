"""The GPU side of a workload's profile, and of the inventory, in the words that MIG sizing and placement speak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.bottleneck import DRAM_CEILING, HOST
from models.bottleneck import Bottleneck as Class
from models.columns import Columns
from models.hardware.discovery import InvalidProfileError, find_gpu, mig_of, name_of
from models.hardware.geometry import MigGpu, UnknownProfileError
from models.inventory import Gpu, Node
from models.peak16 import from_peak16
from models.profile import GPU_SIGNALS_KEPT
from models.speed.artifact import SpeedModel
from models.speed.signals import WholeGpuSignals
from recommender.mig.choose import GpuWorkload, SliceAdvice, SlicePolicy, choose_slice
from recommender.mig.eligible import Because
from recommender.mig.memory import MemorySeen
from recommender.placement.job import Bottleneck

_FP64_RATIO = 0.05
"""Mean activity of the FP64 pipe from which on a job is taken to compute in FP64: libraries use a little of it anyway."""


@dataclass(frozen=True, slots=True)
class GpuSeen:
    """means: decayed mean per GPU signal, only those seen. framebuffer_peak_bytes: highest of 32 days; None: not seen.

    model: name in the catalogue, empty: it lacks it. Everything is per GPU.
    """

    means: Mapping[str, float]
    framebuffer_peak_bytes: float | None
    gpus: int
    model: str
    sliced: bool
    found: Class
    transfer_demand: float | None = None
    """Share of time that copies over the host link take; None: no counter tells."""

    @property
    def bottleneck(self) -> Bottleneck:
        if self.found.io_kind:
            return "io"
        return _LIMITS.get(self.found, "unknown")

    @property
    def computes_fp64(self) -> bool:
        return self.means.get("fp64_active_ratio", 0.0) >= _FP64_RATIO

    @property
    def compute_demand(self) -> float | None:
        """Share of a GPU's multiprocessors that it keeps busy; without counters of its time, which is at least as much."""
        return self.means.get("sm_active_ratio", self.means.get("gpu_utilization_ratio"))

    @property
    def bandwidth_demand(self) -> float | None:
        """DRAM activity; NVML's memory utilisation is that over its practical ceiling."""
        copied = self.means.get("memory_copy_utilization_ratio")
        return self.means.get("dram_active_ratio", None if copied is None else copied * DRAM_CEILING)


_LIMITS: Mapping[Class, Bottleneck] = {
    Class.COMPUTE: "compute",
    Class.MEMORY_BANDWIDTH: "memory",
    Class.LATENCY: "latency",
    Class.IDLE: "idle",
}


def gpu_seen(profile: Columns) -> GpuSeen | None:
    """Of the one row of this profile; None when it never had a GPU."""
    if not profile["gpu_last_seen_ms"][0]:
        return None
    total, weight = profile["gpu_signal_sum"][0], profile["gpu_signal_weight"][0]
    peak = float(from_peak16(profile["gpu_framebuffer_peak"][0]).max())
    return GpuSeen(
        {name: float(total[i] / weight[i]) for i, name in enumerate(GPU_SIGNALS_KEPT) if weight[i] > 0},
        peak or None,
        int(profile["gpu_count"][0]),
        name_of(int(profile["gpu_model"][0])),
        bool(profile["gpu_sliced"][0]),
        Class(int(profile["gpu_bottleneck"][0])),
        None if np.isnan(copies := float(profile["gpu_evidence"][0][HOST])) else copies,
    )


@dataclass(frozen=True, slots=True)
class GpuHeld:
    """A GPU that a workload holds now. mig_profile: of the slice, empty: the whole. shared: others hold it as well, or it was
    granted a share only."""

    gpu: Gpu
    mig_profile: str
    shared: bool


def gpus_held(workload: str, nodes: Mapping[str, Node]) -> Iterator[GpuHeld]:
    """By the allocations of every node."""
    for node in nodes.values():
        mine = {uuid for a in node.allocations if a.workload == workload for uuid in a.gpu_uuids}
        if not mine:
            continue
        others = {
            uuid
            for a in node.allocations
            if a.workload != workload or (a.gpu_share_ratio or 1.0) < 1
            for uuid in a.gpu_uuids
        }
        for gpu in node.gpus:
            if gpu.uuid in mine:
                yield GpuHeld(gpu, "", gpu.uuid in others)
            yield from (GpuHeld(gpu, i.profile, i.uuid in others) for i in gpu.mig if i.uuid in mine)


def advise_slice(
    seen: GpuSeen, held: GpuHeld | None, model: SpeedModel, policy: SlicePolicy
) -> tuple[SliceAdvice, MigGpu | None]:
    """The smallest slice for a workload, of the GPU that it holds, else of the model that it was last seen on; and what
    that GPU can be cut into. NVML's word on the GPU that it holds wins over the catalogue."""
    try:
        mig = mig_of(held.gpu.model, held.gpu.pci_device_id, held.gpu.mig_profiles) if held else None
    except InvalidProfileError as error:
        return SliceAdvice("refused", None, {}, "", (Because("mig-profiles", str(error)),)), None
    if mig is None:
        known = find_gpu(seen.model)
        mig = known.mig if known else None
    profile = held.mig_profile if held else ""
    if mig and (seen.sliced or profile) and not _has(mig, profile):
        said = "it already runs on a MIG slice, of a size that inventory does not tell: run it once on a whole GPU"
        return SliceAdvice("refused", None, {}, "", (Because("on-mig", said),)), mig
    workload = GpuWorkload(
        _signals(seen.means),
        MemorySeen(
            seen.framebuffer_peak_bytes,
            seen.means.get("framebuffer_used_bytes"),
            seen.means.get("framebuffer_total_bytes"),
        ),
        seen.gpus,
        profile,
        bool(held and held.shared),
        gpu_model=seen.model,
    )
    return choose_slice(workload, mig, model, policy), mig


def _signals(means: Mapping[str, float]) -> WholeGpuSignals:
    return WholeGpuSignals(
        means.get("power_watts"),
        means.get("power_limit_watts"),
        means.get("memory_copy_utilization_ratio"),
        means.get("gpu_utilization_ratio"),
    )


def _has(mig: MigGpu, profile: str) -> bool:
    try:
        return bool(mig.profile(profile))
    except UnknownProfileError:
        return False
