"""The smallest MIG slice that keeps a workload within the slowdown that policy allows, with its reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from models.hardware.discovery import find_gpu
from models.hardware.geometry import MigGpu, MigProfile
from models.speed.artifact import SpeedModel
from models.speed.signals import Floats, WholeGpuSignals, coordinates
from models.speed.table import held
from recommender.mig.eligible import Because, refusal
from recommender.mig.memory import MemoryNeed, MemorySeen, memory_need
from recommender.mig.spread import CARRIED_OVER, LEARNED, spread, together

SliceAction = Literal["slice", "whole", "probe", "refused"]


@dataclass(frozen=True, slots=True)
class SlicePolicy:
    max_slowdown_ratio: float = 0.10
    """0.10: a step may take 10 % longer, so speed must stay at 1/1.1 of the whole GPU's."""
    memory_margin_ratio: float = 0.0
    """Added to the peak. The peak is never a mean, and usable memory of a slice is already net of the driver's."""
    error_factor: float = LEARNED
    """Between more and less time lost by this factor lies what is near the line. A safety margin of that size would undo
    the advice; one probe on one slice settles it."""
    transfer_factor: float = CARRIED_OVER
    """Beside it on a board that the model was not trained on; there the advice holds at the lowest speed, or waits for the
    probe."""

    def reckoned(self, elsewhere: bool) -> float:
        """The factor for a prediction."""
        return together(self.error_factor, self.transfer_factor) if elsewhere else self.error_factor


@dataclass(frozen=True, slots=True)
class GpuWorkload:
    """One workload as seen on its GPUs.

    gpus: how many it uses at once. mig_profile: name of the slice it runs on, empty on a whole GPU. shared: others use
    the same GPU at the same time (time-slicing, MPS). telemetry_source: whose utilisation `signals` holds.
    gpu_model: NVML name of the GPU it was seen on, empty: the one the model was trained on.
    probes: profile key to speed measured there, relative to the whole GPU.
    """

    signals: WholeGpuSignals
    memory: MemorySeen
    gpus: int = 1
    mig_profile: str = ""
    shared: bool = False
    telemetry_source: str = "nvml"
    gpu_model: str = ""
    probes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SliceAdvice:
    """action:  `slice`: use `profile`; `whole`: keep the whole GPU; `probe`: the signals do not decide, measure first;
             `refused`: MIG is no answer here
    speeds:  predicted (or measured) speed per profile key
    probe:   the one slice to measure when the answer is near the line; empty when it is not
    lowest, highest: speed per profile key when the prediction is as far off as four in five are at most
    safe:    `profile` keeps the slowdown even at its lowest speed, so that no probe is needed to take it
    """

    action: SliceAction
    profile: MigProfile | None
    speeds: Mapping[str, float]
    probe: str
    because: tuple[Because, ...]
    lowest: Mapping[str, float] = field(default_factory=dict)
    highest: Mapping[str, float] = field(default_factory=dict)
    safe: bool = False


def choose_slice(
    workload: GpuWorkload, gpu: MigGpu | None, model: SpeedModel, policy: SlicePolicy | None = None
) -> SliceAdvice:
    """The advice for one workload on one GPU model; `gpu` None: the GPU has no MIG, or none that is known."""
    need = memory_need(workload.memory)
    no = refusal(workload.gpus, workload.mig_profile, workload.shared, need, gpu)
    if no is not None or gpu is None:
        return SliceAdvice("refused", None, {}, "", (no,) if no else ())
    case = _Case.of(workload, gpu, model, policy or SlicePolicy(), need)
    chosen, probe = case.smallest(case.sure), case.probe()
    undecided = chosen is gpu.whole and case.smallest(case.hoped) is not gpu.whole
    action: SliceAction = "probe" if undecided else ("whole" if chosen is gpu.whole else "slice")
    because = tuple(_because(case, chosen, probe))
    safe = case.lowest[chosen.key] >= case.line
    return SliceAdvice(action, chosen, case.slow, probe, because, case.lowest, case.highest, safe)


def slice_shares(gpu: MigGpu, profiles: Sequence[MigProfile]) -> Floats:
    """[n, 2]: compute share (of SMs where both counts are known: on Hopper they are not g/7) and memory share."""
    return np.array([(_compute_share(gpu, profile), gpu.memory_share(profile)) for profile in profiles])


def _compute_share(gpu: MigGpu, profile: MigProfile) -> float:
    mine, all_of_it = profile.multiprocessors, gpu.whole.multiprocessors
    return mine / all_of_it if mine and all_of_it else gpu.compute_share(profile)


@dataclass(frozen=True, slots=True)
class _Case:
    """One question with what follows from it at once. slow, fast: predicted speed per profile key; they differ only
    where signals are missing. lowest, highest: with the error that predictions have. fitting: profiles that hold the
    memory, smallest first."""

    workload: GpuWorkload
    gpu: MigGpu
    model: SpeedModel
    rules: SlicePolicy
    need: MemoryNeed
    slow: Mapping[str, float]
    fast: Mapping[str, float]
    lowest: Mapping[str, float]
    highest: Mapping[str, float]
    fitting: Sequence[MigProfile]

    @classmethod
    def of(cls, workload: GpuWorkload, gpu: MigGpu, model: SpeedModel, rules: SlicePolicy, need: MemoryNeed) -> _Case:
        slow, fast = _speeds(workload, gpu, model)
        keys = [profile.key for profile in gpu.sizes]
        fitting = [profile for profile in gpu.sizes if _fits(profile, need, rules)]
        slowest, fastest = (dict(zip(keys, speeds.tolist(), strict=True)) for speeds in (slow, fast))
        factor = rules.reckoned(_elsewhere(workload, model))
        known = {gpu.whole.key: 1.0, **workload.probes}
        lowest = {**spread(slowest, factor)[0], **known}
        highest = {**spread(fastest, factor)[1], **known}
        return cls(workload, gpu, model, rules, need, slowest, fastest, lowest, highest, fitting)

    @property
    def line(self) -> float:
        """The least speed that policy allows."""
        return 1 / (1 + self.rules.max_slowdown_ratio)

    @property
    def other_source(self) -> bool:
        return self.workload.telemetry_source != self.model.card.telemetry_source

    @property
    def other_gpu(self) -> bool:
        return _elsewhere(self.workload, self.model)

    @property
    def sure(self) -> Mapping[str, float]:
        """What the advice may count on: the prediction; on a board that it was not trained on the lowest speed."""
        return self.lowest if self.other_gpu and not self.workload.probes else self.slow

    @property
    def hoped(self) -> Mapping[str, float]:
        return self.highest if self.other_gpu and not self.workload.probes else self.fast

    def smallest(self, speeds: Mapping[str, float]) -> MigProfile:
        return next((p for p in self.fitting if speeds[p.key] >= self.line), self.gpu.whole)

    def probe(self) -> str:
        """The slice to measure: the one nearest the line among those that the line could cut. Empty when the answer is
        clear, or one was measured."""
        if self.workload.probes:
            return ""
        near = [p for p in self.fitting if p is not self.gpu.whole and self._near(p)]
        return min(near, key=lambda p: abs(self.slow[p.key] + self.fast[p.key] - 2 * self.line)).key if near else ""

    def _near(self, profile: MigProfile) -> bool:
        return self.lowest[profile.key] < self.line <= self.highest[profile.key]


def _elsewhere(workload: GpuWorkload, model: SpeedModel) -> bool:
    """Whether it was seen on another board than the model was trained on: power limits differ within one geometry too."""
    seen, known = find_gpu(workload.gpu_model), find_gpu(model.card.gpu)
    return bool(workload.gpu_model) and (seen is None or known is None or seen.name != known.name)


def _speeds(workload: GpuWorkload, gpu: MigGpu, model: SpeedModel) -> tuple[Floats, Floats]:
    """Lowest and highest speed per profile. What was measured holds; the largest measured slice moves the others."""
    demand, shares = coordinates(workload.signals), slice_shares(gpu, gpu.sizes)
    if workload.telemetry_source != model.card.telemetry_source:
        demand = np.full_like(demand, np.nan)
    slow, fast = model.table.bounds(demand, shares)
    probes = [
        (row, workload.probes[p.key]) for p, row in zip(gpu.sizes, shares, strict=True) if p.key in workload.probes
    ]
    if probes and not np.isnan(demand).any():
        slow = fast = model.table.after_probe(demand, shares, *probes[-1])
    for row, measured in reversed(probes):
        slow, fast = held(slow, shares, row, measured), held(fast, shares, row, measured)
    return slow, fast


def _fits(profile: MigProfile, need: MemoryNeed, rules: SlicePolicy) -> bool:
    """A profile whose usable memory no source tells is not taken for large enough."""
    if need.bytes is None or profile.memory_bytes is None:
        return False
    return need.bytes * (1 + rules.memory_margin_ratio) <= profile.memory_bytes


def _because(case: _Case, chosen: MigProfile, probe: str) -> Iterator[Because]:
    yield Because(f"memory-{case.need.basis}", case.need.sentence)
    yield _outcome(case, chosen)
    missing = case.workload.signals.missing
    if missing:
        said = f"{', '.join(missing)} not seen: the slowest that the other signals allow is assumed"
        yield Because("signals-missing", said)
    else:
        yield _limit(case)
    if case.other_source:
        yield Because("other-source", f"the model knows utilisation of {case.model.card.telemetry_source} only")
    if case.other_gpu:
        yield _carried(case, chosen)
    if probe:
        sure = chosen is not case.gpu.whole and case.lowest[chosen.key] >= case.line
        doubt = f"{chosen.name} is safe, a smaller one may do" if sure else "not certain"
        yield Because("near-the-line", f"{doubt}: run it once on {case.gpu.profile(probe).name} and report its speed")


def _outcome(case: _Case, chosen: MigProfile) -> Because:
    if chosen is case.gpu.whole:
        return Because("no-slice", f"no slice both holds its memory and keeps {case.line:.0%} of its speed")
    how = "measured" if chosen.key in case.workload.probes else "expected"
    return Because("slice-speed", f"{chosen.name} keeps {case.slow[chosen.key]:.0%} of its speed, {how}")


def _carried(case: _Case, chosen: MigProfile) -> Because:
    """How much the answer trusts a model of another board."""
    if case.workload.probes:
        return Because(
            "other-gpu", f"the model was trained on {case.model.card.gpu}: speeds not measured are first guesses"
        )
    factor = case.rules.reckoned(elsewhere=True)
    low, high = case.lowest[chosen.key], case.highest[chosen.key]
    reach = f": {chosen.name} keeps {low:.0%} to {high:.0%}" if chosen is not case.gpu.whole else ""
    said = (
        f"the model was trained on {case.model.card.gpu}, so {factor:.1f} times more or less lost time is reckoned with"
    )
    return Because("other-gpu", said + reach)


def _limit(case: _Case) -> Because:
    """What a smaller slice would take away first, by the roofline form."""
    compute, memory = case.model.roofline.demand(coordinates(case.workload.signals))[0]
    what = "compute" if compute >= memory else "memory bandwidth"
    return Because(
        "roofline",
        f"a smaller slice costs it {what} first: it asks for {compute:.2f} of the GPU's compute and {memory:.2f} of its "
        "bandwidth, in units of the work that no slice changes",
    )
