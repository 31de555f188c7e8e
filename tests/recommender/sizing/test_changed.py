"""When what is told of a workload last changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.columns import Columns, empty_arrays
from models.reasons import Action
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.sizing.standing import Standing

NAN = float("nan")
NOW = 900


def rows(**values: Any) -> Columns:
    """Two workloads that were decided at 500 and changed at 100."""
    arrays = empty_arrays(RECOMMENDATION_FIELDS, 2)
    told = {"computed_ms": 500, "changed_ms": 100, "action": Action.LOWER, "reasons": 3, "target": [[1, NAN], [2, 5]]}
    for name, value in (told | values).items():
        arrays[name][:] = np.asarray(value)
    return Columns(RECOMMENDATION_FIELDS, ["a", "b"], arrays)


def changed(before: Columns | None, now: Columns) -> list[int]:
    standing = Standing.of(before, now.workloads)
    told = (now[name] for name in ("action", "reasons", "target", "limit_target"))
    return standing.changed(*told, NOW).tolist()


def test_what_is_told_again_did_not_change() -> None:
    """Not known (NaN) before and after is alike; confidence and bounds are not told as a change."""
    assert changed(rows(), rows(confidence=0.9, lower=7.0)) == [100, 100]


def test_a_row_changes_with_its_action_reasons_target_or_limit() -> None:
    """Only the row that differs."""
    assert changed(rows(), rows(target=[[1, NAN], [2, 6]])) == [100, NOW]
    assert changed(rows(), rows(target=[[1, 4], [2, 5]])) == [NOW, 100]
    assert changed(rows(), rows(limit_target=[[NAN, NAN], [NAN, 9]])) == [100, NOW]
    assert changed(rows(), rows(action=[[Action.LOWER] * 2, [Action.LOWER, Action.LEAVE]])) == [100, NOW]
    assert changed(rows(), rows(reasons=[[3, 3], [1, 3]])) == [100, NOW]


def test_the_first_time_is_a_change() -> None:
    """Nothing before, or a message from before the field: told once."""
    assert changed(None, rows()) == [NOW, NOW]
    assert changed(rows(changed_ms=0), rows()) == [NOW, NOW]
