"""Start-up peaks of a service, from telemetry messages to the recommendation."""

from __future__ import annotations

import pytest

from models.profile import CPU, MEMORY
from models.reasons import Reason
from recommender.sizing.decide import decide
from tests.profiler.telemetry import HOUR, MINUTE, Row, message, profile
from tests.recommender.sizing.profiles import GIB, policy

DAYS = 6
STEADY, START = 1.0 * GIB, 3.0 * GIB


def rows() -> list[Row]:
    """Six days of a service whose pod is replaced at noon of the third: 1 core and 1 GiB, but 4 cores and 3 GiB in the
    first minutes of the new pod. A row for every half an hour, and the start minute by minute."""
    noon = 60 * HOUR
    steady = [
        Row("web", at, 1.0, STEADY, HOUR // 2, instance="old" if at < noon else "new")
        for at in range(0, DAYS * 24 * HOUR, HOUR // 2)
    ]
    start = [Row("web", noon - 30_000 + i * MINUTE, 4.0, START, MINUTE, instance="new") for i in range(1, 5)]
    return sorted([*steady, *start], key=lambda row: row.at_ms)


def test_a_replaced_pod_shows_what_a_start_needs() -> None:
    """Memory covers the start, 3 GiB + 15 %, also where policy lets one day in three be short, which would leave 1.15 GiB;
    CPU does not, 1.15 cores of 4. Both say so, and both peaks are told."""
    made = profile([message([row], "n1", number + 1) for number, row in enumerate(rows())])
    slab = made.profiles.slab(0)
    result = decide(slab, None, policy(memory_overrun_days_ratio=0.34))
    assert result["target"][0, MEMORY] == pytest.approx(1.15 * START, rel=1e-6)
    assert result["target"][0, CPU] == pytest.approx(1.15, rel=0.05)
    assert result["start_peak"][0].tolist() == [4.0, START]
    assert result["steady_peak"][0].tolist() == [1.0, STEADY]
    assert all(Reason.START_UP in Reason(int(mask)) for mask in result["reasons"][0])
    covered = decide(slab, None, policy(cpu_start_up="cover"))
    assert covered["target"][0, CPU] == 4.0
