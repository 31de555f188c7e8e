"""What became of changes that followed a recommendation, as events: one for each, when it is judged."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.columns import Columns
from models.events import WorkloadEvent
from models.outcome import RESULTS, Outcome
from models.profile import RESOURCES
from recommender.recommendation_id import recommendation_id
from recommender.sizing.standing import Standing

_ENDS = np.array(list(RESULTS), dtype=np.uint8)


def outcomes(before: Columns | None, decided: Columns) -> Iterator[WorkloadEvent]:
    """Events of the changes that `decided` judges and `before`, what stood, did not. What stands is committed with them, so
    each is told once."""
    judged = np.isin(decided["outcome"], _ENDS)
    if not judged.any():
        return
    standing = Standing.of(before, decided.workloads)
    known = (standing.outcome == decided["outcome"]) & (standing.request_changed_ms == decided["request_changed_ms"])
    for row, resource in zip(*np.nonzero(judged & ~known), strict=True):
        yield _event(decided, int(row), int(resource))


def _event(decided: Columns, row: int, resource: int) -> WorkloadEvent:
    outcome, workload = Outcome(int(decided["outcome"][row, resource])), decided.workloads[row]
    details = {
        "result": RESULTS[outcome],
        "because": outcome.cause,
        "resource": RESOURCES[resource],
        "recommendation": recommendation_id(workload, int(decided["applied_ms"][row, resource])),
        "before": f"{decided['request_before'][row, resource]:g}",
        "after": f"{decided['request_now'][row, resource]:g}",
    }
    return WorkloadEvent("outcome", workload, "", "", int(decided["computed_ms"][row]), details)
