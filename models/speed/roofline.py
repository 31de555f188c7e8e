"""Slice speed in a form that can be read: a workload asks for q_c of compute and q_m of memory bandwidth.

time(c, m) = (1 + (q_c/c)^k + (q_m/m)^k)^(1/k) on a slice with compute share c and memory share m; speed is
time(1, 1) / time(c, m). The 1 is what no slice changes: host work, launches, input. k is how sharply the largest of
the three limits. q_c = e^a0 p^e^a1 u^e^a2 and q_m = e^b0 (M + 0.005)^e^b1 from power share p, GPU utilisation u and memory
utilisation M; k = 2 + e^h. Six numbers, fitted by least squares. It explains the learned table, and stands in for it
where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.speed.signals import Floats, busy_ratio


@dataclass(frozen=True, slots=True)
class Roofline:
    """parameters: a0, a1, a2, b0, b1, h."""

    parameters: tuple[float, float, float, float, float, float]

    def demand(self, demand: Floats) -> Floats:
        """[n, 2]: q_c and q_m for coordinates [n, 3]. Above 1: even the whole GPU is limited by it."""
        a0, a1, a2, b0, b1, _ = self.parameters
        ln_power, ln_memory, logit_busy = np.atleast_2d(demand).T
        busy = busy_ratio(logit_busy)
        memory = np.maximum(np.exp(ln_memory) - 0.01, 0.0) + 0.005
        compute = np.exp(a0 + np.exp(a1) * ln_power + np.exp(a2) * np.log(busy))
        return np.column_stack([compute, np.exp(b0) * memory ** np.exp(b1)])

    def predict(self, demand: Floats, shares: Floats) -> Floats:
        """[n] speeds for coordinates [n, 3] or [3] and shares [n, 2]."""
        k = 2 + np.exp(self.parameters[5])
        asked = np.broadcast_to(self.demand(demand), shares.shape)
        whole = 1 + np.sum(asked**k, axis=1)
        return np.asarray((whole / (1 + np.sum((asked / shares) ** k, axis=1))) ** (1 / k))
