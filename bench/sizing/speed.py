"""How long 1,000 workloads take: 30 days of 5-minute samples to a CPU and a memory decision, on one core."""

from __future__ import annotations

import time

import numpy as np

from recommender.backtest.ensemble import Ensemble, Learner
from recommender.backtest.replay import replay
from recommender.backtest.usage import Resource, Usage

WORKLOADS = 1000
PRICE: dict[Resource, float] = {"cpu": 8.0, "memory": 2.0}
BEST_OF = 3


def size_workloads_s(fleet: dict[Resource, Usage]) -> float:
    """CPU seconds, best of three: daily quantiles from raw samples, 30 days of learning, the decision. Both resources.

    Workloads of the fleet are repeated until there are 1,000.
    """
    return min(_once(fleet) for _ in range(BEST_OF))


def _once(fleet: dict[Resource, Usage]) -> float:
    spent = 0.0
    for resource, usage in fleet.items():
        rows = np.resize(np.arange(len(usage.workloads)), WORKLOADS)
        many = usage.take(rows)
        before = time.process_time()
        replay(Ensemble(Learner(resource, leave_out=False), PRICE[resource]), many, first_day=usage.blocks - 1)
        spent += time.process_time() - before
    return spent
