"""The smallest MIG slice that keeps a workload within the slowdown that policy allows, with its reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from models.hardware.geometry import MigGpu, MigProfile
from models.speed.artifact import SpeedModel
from models.speed.signals import Floats, WholeGpuSignals, coordinates
from recommender.mig.eligible import Because, refusal
from recommender.mig.memory import MemoryNeed, MemorySeen, memory_need

SliceAction = Literal["slice", "whole", "probe", "refused"]


@dataclass(frozen=True, slots=True)
class SlicePolicy:
    max_slowdown_ratio: float = 0.10
    """0.10: a step may take 10 % longer, so speed must stay at 1/1.1 of the whole GPU's."""
    memory_margin_ratio: float = 0.0
    """Added to the peak. The peak is never a mean, and usable memory of a slice is already net of the driver's."""
    near_line_ratio: float = 0.04
    """A predicted speed this near the line is as likely wrong as right: mean error on 4g of unseen families is 0.04.
    A safety margin of that size would undo the advice; one probe on one slice settles it."""


@dataclass(frozen=True, slots=True)
class GpuWorkload:
    """One workload as seen on its GPUs.

    gpus: how many it uses at once. mig_profile: name of the slice it runs on, empty on a whole GPU. shared: others use
    the same GPU at the same time (time-slicing, MPS). telemetry_source: whose utilisation `signals` holds.
    probes: profile key to speed measured there, relative to the whole GPU.
    """

    signals: WholeGpuSignals
    memory: MemorySeen
    gpus: int = 1
    mig_profile: str = ""
    shared: bool = False
    telemetry_source: str = "nvml"
    probes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SliceAdvice:
    """action:  `slice`: use `profile`; `whole`: keep the whole GPU; `probe`: the signals do not decide, measure first;
             `refused`: MIG is no answer here
    speeds:  predicted (or measured) speed per profile key
    probe:   the one slice to measure when the answer is near the line; empty when it is not
    """

    action: SliceAction
    profile: MigProfile | None
    speeds: Mapping[str, float]
    probe: str
    because: tuple[Because, ...]


def choose_slice(
    workload: GpuWorkload, gpu: MigGpu | None, model: SpeedModel, policy: SlicePolicy | None = None
) -> SliceAdvice:
    """The advice for one workload on one GPU model; `gpu` None: the GPU has no MIG, or none that is known."""
    rules = policy or SlicePolicy()
    need = memory_need(workload.memory)
    no = refusal(workload.gpus, workload.mig_profile, workload.shared, need, gpu)
    if no is not None or gpu is None:
        return SliceAdvice("refused", None, {}, "", (no,) if no else ())
    slow, fast = _speeds(workload, gpu, model)
    fitting = [p for p in gpu.sizes if _fits(p, need, rules)]
    line = 1 / (1 + rules.max_slowdown_ratio)
    chosen = _smallest(fitting, slow, line, gpu)
    probe = _probe(fitting, slow, fast, line, workload, rules, gpu)
    because = _because(workload, need, chosen, slow, model, rules, gpu, probe)
    undecided = chosen is not _smallest(fitting, fast, line, gpu)  # only where signals are missing do they differ
    action: SliceAction = "probe" if undecided else ("whole" if chosen is gpu.whole else "slice")
    return SliceAdvice(action, chosen, slow, probe, because)


def slice_shares(gpu: MigGpu, profiles: Sequence[MigProfile]) -> Floats:
    """[n, 2]: compute share (of SMs where both counts are known: on Hopper they are not g/7) and memory share."""
    total = gpu.whole.multiprocessors
    return np.array(
        [
            (
                p.multiprocessors / total if p.multiprocessors and total else gpu.compute_share(p),
                gpu.memory_share(p),
            )
            for p in profiles
        ]
    )


def _speeds(workload: GpuWorkload, gpu: MigGpu, model: SpeedModel) -> tuple[dict[str, float], dict[str, float]]:
    """Lowest and highest speed per profile key; they differ only when signals are missing."""
    demand, shares = coordinates(workload.signals), slice_shares(gpu, gpu.sizes)
    keys = [p.key for p in gpu.sizes]
    probe = next((p for p in reversed(gpu.sizes) if p.key in workload.probes), None)
    if workload.telemetry_source != model.card.telemetry_source:
        demand = np.full_like(demand, np.nan)
    slow, fast = model.table.bounds(demand, shares)
    if probe is not None and not np.isnan(demand).any():
        row = shares[gpu.sizes.index(probe)]
        slow = fast = model.table.after_probe(demand, shares, row, workload.probes[probe.key])
    measured = dict(workload.probes)
    return {**dict(zip(keys, slow.tolist(), strict=True)), **measured}, {
        **dict(zip(keys, fast.tolist(), strict=True)),
        **measured,
    }


def _fits(profile: MigProfile, need: MemoryNeed, rules: SlicePolicy) -> bool:
    """A profile whose usable memory no source tells is not taken for large enough."""
    if need.bytes is None or profile.memory_bytes is None:
        return False
    return need.bytes * (1 + rules.memory_margin_ratio) <= profile.memory_bytes


def _smallest(fitting: Sequence[MigProfile], speeds: Mapping[str, float], line: float, gpu: MigGpu) -> MigProfile:
    return next((p for p in fitting if speeds[p.key] >= line), gpu.whole)


def _probe(
    fitting: Sequence[MigProfile],
    slow: Mapping[str, float],
    fast: Mapping[str, float],
    line: float,
    workload: GpuWorkload,
    rules: SlicePolicy,
    gpu: MigGpu,
) -> str:
    """The slice nearest the line among those that the line could cut; empty when none is, or one was measured."""
    near = [
        p
        for p in fitting
        if p is not gpu.whole and slow[p.key] - rules.near_line_ratio <= line <= fast[p.key] + rules.near_line_ratio
    ]
    if workload.probes or not near:
        return ""
    return min(near, key=lambda p: abs(slow[p.key] + fast[p.key] - 2 * line)).key


def _because(
    workload: GpuWorkload,
    need: MemoryNeed,
    chosen: MigProfile,
    speeds: Mapping[str, float],
    model: SpeedModel,
    rules: SlicePolicy,
    gpu: MigGpu,
    probe: str,
) -> tuple[Because, ...]:
    said = [Because(f"memory-{need.basis}", need.sentence)]
    line = 1 / (1 + rules.max_slowdown_ratio)
    if chosen is gpu.whole:
        said.append(Because("no-slice", f"no slice both holds its memory and keeps {line:.0%} of its speed"))
    else:
        how = "measured" if chosen.key in workload.probes else "expected"
        said.append(Because("slice-speed", f"{chosen.name} keeps {speeds[chosen.key]:.0%} of its speed, {how}"))
    if workload.signals.missing:
        missing = ", ".join(workload.signals.missing)
        said.append(
            Because("signals-missing", f"{missing} not seen: the slowest that the other signals allow is assumed")
        )
    if workload.telemetry_source != model.card.telemetry_source:
        said.append(Because("other-source", f"the model knows utilisation of {model.card.telemetry_source} only"))
    if not workload.signals.missing:
        said.append(_limit(workload, model))
    if probe:
        said.append(Because("near-the-line", f"near the line: run it once on {probe} and report its speed"))
    return tuple(said)


def _limit(workload: GpuWorkload, model: SpeedModel) -> Because:
    """What a smaller slice would take away first, by the roofline form."""
    compute, memory = model.roofline.demand(coordinates(workload.signals))[0]
    what = "compute" if compute >= memory else "memory bandwidth"
    return Because(
        "roofline",
        f"a smaller slice costs it {what} first: it asks for {compute:.2f} of the GPU's compute and {memory:.2f} of its "
        "bandwidth, in units of the work that no slice changes",
    )
