"""What was asked for and recommended on each of 32 days: for the series and the picture, and for nothing that is decided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.columns import Array, Columns
from models.histogram import to_log_code
from models.profile import PEAK_DAYS
from recommender.sizing.usage import DAY_MS

NAMES = ("request_days", "target_days")


def with_today(
    previous: Columns | None, workloads: Sequence[str], at_ms: int, request: Array, target: Array
) -> dict[str, Array]:
    """The fields NAMES [n, 2, 32] and history_day [n], with today's request and target [n, 2] in today's column."""
    day = int(np.clip(at_ms // DAY_MS, 0, np.iinfo(np.int32).max))  # whatever a slab holds stops nobody
    before, newest = _before(previous, workloads)
    passed = ((day - np.arange(PEAK_DAYS)) % PEAK_DAYS)[None, :] < (day - newest)[:, None]
    found: dict[str, Array] = {"history_day": np.full(len(workloads), day, dtype=np.int32)}
    for name, value in zip(NAMES, (request, target), strict=True):
        days = np.where(passed[:, None, :], np.uint16(0), before[name])
        days[:, :, day % PEAK_DAYS] = to_log_code(value)
        found[name] = days
    return found


def _before(previous: Columns | None, workloads: Sequence[str]) -> tuple[dict[str, Array], Array]:
    """What stood, row by row of the workloads, and its newest day."""
    if previous is not None and previous.workloads == workloads:
        return {name: previous[name] for name in NAMES}, previous["history_day"].astype(np.int64)
    found = {name: np.zeros((len(workloads), 2, PEAK_DAYS), dtype=np.uint16) for name in NAMES}
    newest = np.full(len(workloads), -1, dtype=np.int64)
    row_of = {} if previous is None else {workload: row for row, workload in enumerate(previous.workloads)}
    pairs = [(row, row_of[workload]) for row, workload in enumerate(workloads) if workload in row_of]
    if previous is not None and pairs:
        here, there = np.array(pairs, dtype=np.intp).T
        newest[here] = previous["history_day"][there]
        for name in NAMES:
            found[name][here] = previous[name][there]
    return found, newest
