"""The class of GPU windows, with and without profiling counters.

One rule compares the busiest math pipe c with memory m, each over its practical ceiling. Counters give c and m to a
tenth; without them each has bounds that physics sets:

- m: NVML's memory utilisation u is the share of time in which memory was accessed, so dram_active <= u and m <= u / 0.8.
  From below, three quarters of u (MEMORY_UTILIZATION_ERROR).
- c <= the share of time in which something runs, and <= the power that is left above idle when memory has its part:
  a board is rated for its pipes at full speed, so a pipe at share c of its peak needs at least share c of that power.

The rule is asked at points spread evenly between the bounds. The class that most points give is the answer, their share
is its confidence, and under four to one there is no answer. Never by GPU utilisation alone, and never by SM activity:
warps that stall on memory count as active.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bottleneck import (
    BUSY,
    CLASSES,
    COMPUTE,
    DRAM_CEILING,
    HOST,
    IDLE_BELOW,
    LINK,
    MEMORY_POWER,
    MEMORY_UTILIZATION_ERROR,
    MOSTLY_IDLE_BELOW,
    NEARLY_FULL,
    POWER,
    SATURATED,
    SURE,
    Bottleneck,
    Method,
)
from profiler.bottleneck.boards import Boards, Bools, Floats
from profiler.bottleneck.evidence import (
    PIPES,
    SIGNAL,
    at_power_limit,
    evidence,
    link_saturation,
)
from profiler.bottleneck.roofline import compute_bound

Codes = NDArray[np.uint8]

_SLACK = 0.1
"""Ceilings are known to about a tenth: 0.8 of DRAM is `about`, and pipes differ by shape of the work."""
_STEPS = 16
"""Points per axis: finer than the line of four to one."""
_CHUNK = 256
"""Windows judged at a time: their 65,536 points take half a megabyte and stay in the second-level cache."""
_NEAR = 0.8
"""At the power limit compute within a fifth of memory counts as the one that limits: power would speed it up."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Per window, [n]: Bottleneck, how likely it is, Method; `evidence` is [6, n]."""

    bottleneck: Codes
    confidence: Floats
    method: Codes
    evidence: Floats


@dataclass(frozen=True, slots=True)
class Bounds:
    """What c and m can be, [n] each."""

    compute_low: Floats
    compute_high: Floats
    memory_low: Floats
    memory_high: Floats

    def take(self, chosen: slice) -> Bounds:
        bounds = (self.compute_low, self.compute_high, self.memory_low, self.memory_high)
        return Bounds(*(bound[chosen] for bound in bounds))


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not depend on c and m, [n] each."""

    unknown: Bools
    idle: Bools
    host: Bools
    host_unknown: Bools
    link: Floats
    at_limit: Bools

    def take(self, chosen: slice) -> Facts:
        return Facts(
            self.unknown[chosen],
            self.idle[chosen],
            self.host[chosen],
            self.host_unknown[chosen],
            self.link[chosen],
            self.at_limit[chosen],
        )


def classify(values: Floats, boards: Boards) -> Verdicts:
    """Verdicts on windows: signals [S, n] in the order of models.signals.GPU_SIGNALS, NaN where missing."""
    found = evidence(values, boards)
    counters = has_counters(values)
    facts, bounds = _facts(values, found, boards), _bounds(values, found)
    votes = np.empty((CLASSES, values.shape[1]))
    for start in range(0, values.shape[1], _CHUNK):
        chosen = slice(start, start + _CHUNK)
        votes[:, chosen] = _votes(facts.take(chosen), bounds.take(chosen))
    confidence, bottleneck = votes.max(axis=0), votes.argmax(axis=0)
    abstains = ~counters & (confidence < SURE)
    method = np.where(counters, Method.COUNTERS, Method.PHYSICS).astype(np.uint8)
    return Verdicts(np.where(abstains, Bottleneck.INSUFFICIENT, bottleneck).astype(np.uint8), confidence, method, found)


def has_counters(values: Floats) -> Bools:
    """Whether DRAM and at least one math pipe were measured, [n]."""
    pipes = np.any([~np.isnan(values[SIGNAL[name]]) for name in PIPES], axis=0)
    known: Bools = pipes & ~np.isnan(values[SIGNAL["dram_active_ratio"]])
    return known


def _votes(facts: Facts, bounds: Bounds) -> Floats:
    """The share of points between the bounds that give each class, [CLASSES, n]."""
    c = _between(bounds.compute_low, bounds.compute_high)[:, None]
    m = _between(bounds.memory_low, bounds.memory_high)[None, :]
    given = _rule(c, m, facts).reshape(_STEPS**2, -1)
    return np.stack([np.count_nonzero(given == code, axis=0) for code in range(CLASSES)]) / _STEPS**2


def _rule(c: Floats, m: Floats, facts: Facts) -> NDArray[np.intp]:
    """The class of windows whose pipes and memory are known, [..., n]. The first condition that holds decides."""
    saturated = np.fmax(c, m) >= SATURATED
    return np.select(
        [
            facts.unknown,
            facts.host & ~saturated,
            facts.link >= np.fmax(SATURATED, np.fmax(c, m)),
            facts.idle,
            facts.at_limit & ((c >= _NEAR * m) | (m < NEARLY_FULL)),
            (m >= SATURATED) & ~compute_bound(c, m),
            c >= SATURATED,
            facts.host_unknown,
        ],
        [
            Bottleneck.INSUFFICIENT,
            Bottleneck.IO_HOST_TRANSFER,
            Bottleneck.IO_GPU_LINK,
            Bottleneck.IDLE,
            Bottleneck.COMPUTE,
            Bottleneck.MEMORY_BANDWIDTH,
            Bottleneck.COMPUTE,
            Bottleneck.INSUFFICIENT,
        ],
        Bottleneck.LATENCY,
    )


def _facts(values: Floats, found: Floats, boards: Boards) -> Facts:
    busy, transfer = found[BUSY], found[HOST]
    waiting = (transfer >= IDLE_BELOW) & (transfer >= busy / 2) & (busy < MOSTLY_IDLE_BELOW)
    return Facts(
        unknown=np.isnan(busy) | (_alone(values, found) & (busy >= IDLE_BELOW)),
        idle=busy < IDLE_BELOW,
        host=waiting | (link_saturation(values, boards) >= SATURATED),
        host_unknown=np.isnan(transfer) & (busy < MOSTLY_IDLE_BELOW),
        link=np.nan_to_num(found[LINK]),
        at_limit=at_power_limit(values, boards),
    )


def _alone(values: Floats, found: Floats) -> Bools:
    """Windows of which only the share of busy time is known, [n]. It may tell that nothing runs and no more: of a GPU that
    several share it is the time that they left."""
    others = np.delete(found, BUSY, axis=0)
    alone: Bools = np.isnan(others).all(axis=0) & np.isnan(values[SIGNAL["sm_active_ratio"]])
    return alone


def _bounds(values: Floats, found: Floats) -> Bounds:
    memory_low, memory_high = _memory_bounds(values, found)
    measured, busy = found[COMPUTE], np.nan_to_num(found[BUSY], nan=1.0)
    left = found[POWER] - MEMORY_POWER * (memory_low + memory_high) / 2
    possible = np.fmin(np.fmin(busy, values[SIGNAL["sm_active_ratio"]]), np.maximum(left, 0))
    every_pipe = np.all([~np.isnan(values[SIGNAL[name]]) for name in PIPES], axis=0)
    low = np.nan_to_num((1 - _SLACK) * measured)
    high = np.fmax((1 + _SLACK) * measured, np.where(every_pipe, 0.0, possible))
    return Bounds(low, np.fmax(high, low), memory_low, memory_high)


def _memory_bounds(values: Floats, found: Floats) -> tuple[Floats, Floats]:
    measured = values[SIGNAL["dram_active_ratio"]] / DRAM_CEILING
    accessed = values[SIGNAL["memory_copy_utilization_ratio"]]
    busy = np.nan_to_num(found[BUSY], nan=1.0)
    low = np.where(np.isnan(measured), np.nan_to_num(MEMORY_UTILIZATION_ERROR * accessed), (1 - _SLACK) * measured)
    outside = np.where(np.isnan(accessed), busy, np.fmin(accessed / DRAM_CEILING, 1.0))
    return low, np.where(np.isnan(measured), np.fmax(outside, low), (1 + _SLACK) * measured)


def _between(low: Floats, high: Floats) -> Floats:
    """Points spread evenly, [_STEPS, n]."""
    at = (np.arange(_STEPS)[:, None] + 0.5) / _STEPS
    return low + (high - low) * at
