"""VPA in the replay: samples in their order, its own OOM kills fed back, the answer taken at each decision."""

from __future__ import annotations

from typing import Literal

import numpy as np

from bench.sizing.peers.vpa.recommender import VpaRecommender
from bench.sizing.replay import bounded
from bench.sizing.usage import Past
from models.columns import Array


class Vpa:
    """VPA's target or upper bound without its pod minimum. `sound` mends the memory defect (see VpaRecommender)."""

    def __init__(self, bound: Literal["target", "upper"], *, sound: bool = False) -> None:
        self.name = f"VPA {bound}" + (" without the memory defect" if sound else "")
        self._bound = bound
        self._sound = sound
        self._vpa: VpaRecommender | None = None
        self._seen = 0
        self._limits: Array | None = None

    def decide(self, past: Past) -> Array:
        if self._vpa is None:
            self._vpa = VpaRecommender(len(past), blind_on_zero=not self._sound)
        for block in range(self._seen, past.now):
            limits = self._limits if block == past.now - 1 else None
            _feed(self._vpa, past, block, limits)
        self._seen = past.now
        answer = self._vpa.answer(past.resource, minimum=False)
        target = answer.target if self._bound == "target" else answer.upper
        self._limits = bounded(target, past)
        return np.asarray(target)


def _feed(vpa: VpaRecommender, past: Past, block: int, limits: Array | None) -> None:
    samples = past.usage.samples[:, block]
    times_s = past.start_s + block * past.usage.block_s + np.arange(samples.shape[1]) * past.slot_s
    if past.resource == "cpu":
        vpa.add_cpu(times_s, samples)
        return
    vpa.count_only(times_s, ~np.isnan(samples))
    killed = np.zeros(len(past), bool) if limits is None else (samples > limits[:, None]).any(axis=1)
    first = np.where(killed, (samples > (np.inf if limits is None else limits)[..., None]).argmax(axis=1), 0) if killed.any() else np.zeros(len(past), int)
    slots = np.arange(samples.shape[1])
    before = ~killed[:, None] | (slots < first[:, None])
    vpa.add_memory(times_s, np.where(before, samples, np.nan))
    if limits is not None and killed.any():
        rows = np.flatnonzero(killed)
        vpa.add_oom(rows, times_s[first[rows]], limits[rows])
        vpa.add_memory(times_s, np.where(before, np.nan, samples))
