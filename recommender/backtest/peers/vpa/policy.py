"""VPA in the replay: samples in their order, its own OOM kills fed back, the answer taken at each decision."""

from __future__ import annotations

from typing import Literal

import numpy as np

from models.columns import Array
from recommender.backtest.peers.vpa.recommender import VpaRecommender
from recommender.backtest.replay import bounded
from recommender.backtest.usage import Past


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
            per_value = past.slot_s / 60
            self._vpa = VpaRecommender(len(past), blind_on_zero=not self._sound, samples_per_value=per_value)
        for block in range(self._seen, past.now):
            limits = np.full(len(past), np.inf) if self._limits is None else self._limits
            _feed(self._vpa, past, block, limits)
        self._seen = past.now
        answer = self._vpa.answer(past.resource, minimum=False)
        wanted = answer.target if self._bound == "target" else answer.upper
        self._limits = bounded(wanted, past)
        return wanted


def _feed(vpa: VpaRecommender, past: Past, block: int, limits: Array) -> None:
    """One block of samples; memory above the limit then in force is an OOM kill, at its first sample of the block."""
    samples = past.usage.samples[:, block]
    slots = samples.shape[1]
    times_s = past.start_s + block * past.usage.block_s + np.arange(slots) * past.slot_s
    if past.resource == "cpu":
        vpa.add_cpu(times_s, samples)
        return
    vpa.count_only(times_s, ~np.isnan(samples))
    over = samples > limits[:, None]
    killed_at = np.where(over.any(axis=1), over.argmax(axis=1), slots)
    before = np.arange(slots) < killed_at[:, None]
    vpa.add_memory(times_s, np.where(before, samples, np.nan))
    rows = np.flatnonzero(killed_at < slots)
    vpa.add_oom(rows, times_s[killed_at[rows]], limits[rows])
    vpa.add_memory(times_s, np.where(before, np.nan, samples))
