"""How workloads are sized: one policy for everybody, and what differs for those that a pattern names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Literal, get_args

from models.profile import PEAK_DAYS

LimitsPolicy = Literal["keep-ratio", "drop-cpu-limit", "equal-request"]
Autoscaled = Literal["seen", "no", "cpu", "memory", "both"]
StartUp = Literal["share", "cover"]
CHOICES: dict[str, tuple[str, ...]] = {
    "limits": get_args(LimitsPolicy),
    "autoscaled": get_args(Autoscaled),
    "cpu_start_up": get_args(StartUp),
}
"""The fields of SizingPolicy that are words, and what each may be."""


@dataclass(frozen=True, slots=True)
class SizingPolicy:
    """How a workload is sized. Raises ValueError, with the field, the value and the mend, for one that makes no sense."""

    cpu_target_throttled_ratio: float = 0.01
    """0-1. Share of time in which usage may be above the CPU target, over all workloads alike volatile: what the experts
    aim at from 7 days of history on. On Bitbrains 1 % leaves 41 % of the target unused."""
    memory_target_oom_days_ratio: float = 0.01
    """0-1. Share of days on which memory may exceed its target, likewise: what sets the margin above the peaks. Which
    peaks must be covered whatever the rate: memory_peak_days and memory_overrun_days_ratio."""
    cpu_target_percentile: float = 0.90
    """0-1. Share of time in which usage fits into the CPU target before its margin, on the first day: VPA's choice."""
    cpu_lower_percentile: float = 0.80
    """0-1. A request under this percentile is too small: one minute in five needs more."""
    cpu_upper_percentile: float = 0.95
    """0-1. A request over this percentile and the margin is waste. VPA's choice."""
    cpu_margin_ratio: float = 0.15
    """Added to the CPU percentile: 0.15 is 15 %. VPA's choice."""
    cpu_floor_cores: float = 0.01
    """Smallest CPU request: the first bucket of the histogram, below which usage cannot be told apart."""
    cpu_cap_cores: float = 4096.0
    """Largest CPU request; the default is above any machine."""
    cpu_throttled_ratio: float = 0.05
    """0-1. Mean share of throttled CFS periods from which on usage is taken to be held back by the limit."""
    cpu_throttled_max_raise_ratio: float = 0.5
    """Most that throttling may add to the CPU estimate, so that no loop of limit and demand runs away."""
    cpu_start_up: StartUp = "share"
    """What CPU the first minutes of an instance get, when they need more than it does later. share: what the target leaves
    and others do not use, so that a start may take longer. cover: the target covers the highest start of 32 days.
    Memory always covers it."""
    memory_peak_days: int = PEAK_DAYS
    """1-32 days whose highest peaks memory must cover: with 32 a weekly and a monthly job stay in view."""
    memory_overrun_days_ratio: float = 0.0
    """0-1. Share of days on which memory may exceed its target before the margin; 0: no peak may be exceeded."""
    memory_margin_ratio: float = 0.15
    """Added to the memory peak. VPA and KRR use the same."""
    memory_floor_bytes: float = float(16 << 20)
    """Smallest memory request. VPA hides 250 MiB a pod and KRR 100 MiB, which is most of a small workload."""
    memory_cap_bytes: float = float(1 << 50)
    """Largest memory request; the default is above any machine."""
    memory_growth_days: float = 7.0
    """Days ahead for which steady growth is added to the peak: until someone looks at the leak."""
    memory_growth_max_ratio: float = 0.5
    """Most that growth may add to the peak: a leak is to be mended, not to be fed."""
    oom_bump_ratio: float = 0.2
    """Added to the memory seen at an OOM kill, because the true peak was above it. VPA's choice."""
    oom_bump_min_bytes: float = float(100 << 20)
    """Added at least. VPA's choice."""
    oom_bump_max_ratio: float = 1.0
    """Added at most, over the minimum too: 1 doubles. It starts from memory seen, never from an earlier bump."""
    oom_cool_down_days: float = 3.0
    """Memory is not lowered for this long after an OOM kill, and neither is anything after an eviction."""
    undo_days: float = 14.0
    """A request that was lowered is proposed to be given back when the workload is OOM-killed, or throttled over
    cpu_throttled_ratio, within as many days of the change; the proposal ends with them. 0: never."""
    history_days: float = 7.0
    """History at which confidence is 1: every day of the week was seen once."""
    lower_after_days: float = 1.0
    """Nothing is lowered below its present request before this much history: the daily peak may be yet to come."""
    lower_interval_days: float = 7.0
    """Targets are raised at once and lowered at most this often; while history is short, at half its length."""
    hysteresis_ratio: float = 0.10
    """A change smaller than this share of the present value is not worth a restart. CAST AI and VPA use the same."""
    max_raise_ratio: float = 3.0
    """Most that one step may add to the present request: 3 gives four times as much. Never below a memory peak."""
    max_lower_ratio: float = 0.5
    """Most that one step may take from the present request: 0.5 leaves half."""
    min_rows: int = 3
    """Telemetry rows under which nothing is said."""
    stale_after_days: float = 1.0
    """Silence after which a recommendation is marked as describing the past."""
    max_limit_request_ratio: float = 1000.0
    """Largest limit over request, as a LimitRange's maxLimitRequestRatio; a limit above is cut to it."""
    lowerings_per_namespace_day: int = 1_000_000
    """Change budget: targets of a namespace that may be lowered on one UTC day, the largest savings first. The default
    is no budget. The partitions share it, in turn from day to day, so that together they never exceed it."""
    autoscaled: Autoscaled = "seen"
    """Which resource a HorizontalPodAutoscaler follows in relation to the request. Its request is left alone, as a new one
    would change the number of replicas; memory is still raised after an OOM kill. seen: what `autoscaler-seen` events of
    the last two days tell, which an import from Prometheus writes where kube-state-metrics knows. cpu, memory, both, no:
    as said, whatever is seen."""
    limits: LimitsPolicy = "keep-ratio"
    """keep-ratio: limits move with requests, and the QoS class stays. drop-cpu-limit: no CPU limit, because throttling
    helps nobody. equal-request: limit = request, for the Guaranteed class."""

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not isinstance(value, int | float) or not low <= value <= high:
                raise ValueError(f"{name} is {value!r}; it must be a number between {low:g} and {high:g}")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(choices)}")
        for smaller, larger in _ORDERED:
            if getattr(self, smaller) > getattr(self, larger):
                raise ValueError(
                    f"{smaller} is {getattr(self, smaller)!r}, above {larger} {getattr(self, larger)!r}; swap or equal them"
                )


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("cpu_target_throttled_ratio", 0.001, 0.5),
    ("memory_target_oom_days_ratio", 0.001, 0.5),
    ("cpu_target_percentile", 0.01, 1),
    ("cpu_lower_percentile", 0.01, 1),
    ("cpu_upper_percentile", 0.01, 1),
    ("cpu_margin_ratio", 0, 10),
    ("cpu_floor_cores", 0.001, 4096),
    ("cpu_cap_cores", 0.001, 4096),
    ("cpu_throttled_ratio", 0, 1),
    ("cpu_throttled_max_raise_ratio", 0, 10),
    ("memory_peak_days", 1, PEAK_DAYS),
    ("memory_overrun_days_ratio", 0, 1),
    ("memory_margin_ratio", 0, 10),
    ("memory_floor_bytes", 1 << 20, 1 << 50),
    ("memory_cap_bytes", 1 << 20, 1 << 50),
    ("memory_growth_days", 0, 365),
    ("memory_growth_max_ratio", 0, 10),
    ("oom_bump_ratio", 0, 10),
    ("oom_bump_min_bytes", 0, 1 << 50),
    ("oom_bump_max_ratio", 0, 10),
    ("oom_cool_down_days", 0, 365),
    ("undo_days", 0, 365),
    ("history_days", 0.001, PEAK_DAYS),
    ("lower_after_days", 0, PEAK_DAYS),
    ("lower_interval_days", 0, 365),
    ("hysteresis_ratio", 0, 1),
    ("max_raise_ratio", 0, 1000),
    ("max_lower_ratio", 0, 1),
    ("max_limit_request_ratio", 1, 1e6),
    ("lowerings_per_namespace_day", 0, 1_000_000),
    ("min_rows", 1, 1 << 31),
    ("stale_after_days", 0, 365),
)
_ORDERED: tuple[tuple[str, str], ...] = (
    ("cpu_lower_percentile", "cpu_target_percentile"),
    ("cpu_target_percentile", "cpu_upper_percentile"),
    ("cpu_floor_cores", "cpu_cap_cores"),
    ("memory_floor_bytes", "memory_cap_bytes"),
)


@dataclass(frozen=True, slots=True)
class PolicyOverride:
    """What differs from the policy for the workloads whose id a pattern matches."""

    match: str
    """Glob over the whole id `cluster/namespace/kind/name/container`; `*` also matches `/`: `*/payments/*` is a
    namespace, `prod/payments/Deployment/ledger/*` one workload."""
    policy: Mapping[str, float | str]
    """Fields of SizingPolicy and their values."""

    def __post_init__(self) -> None:
        known = [item.name for item in fields(SizingPolicy)]
        for name in self.policy:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
                raise ValueError(f"override for {self.match!r} sets {name!r}, which is no field; {hint}")

    def applied_to(self, policy: SizingPolicy) -> SizingPolicy:
        """The policy with these values. Raises ValueError when the result makes no sense."""
        try:
            return replace(policy, **self.policy)  # type: ignore[arg-type]  # SizingPolicy checks the values itself
        except ValueError as error:
            raise ValueError(f"override for {self.match!r}: {error}") from error
