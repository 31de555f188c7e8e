"""Limits beside requests, and the QoS class."""

from __future__ import annotations

import numpy as np
import pytest

from models.columns import Columns
from models.reasons import Reason
from recommender.sizing.decide import decide
from tests.recommender.sizing.profiles import GIB, Workload, policy, profiles

NAN = float("nan")
FULL_CPU = {0.5: 100}
"""0.5 cores always: target 0.5 * 1.15 = 0.575."""


def decided(limits: str = "keep-ratio", throttled: float = NAN, **signals: float) -> Columns:
    workload = Workload(cpu=FULL_CPU, memory=[GIB] * 8, signals=signals, throttled=throttled)
    return decide(profiles(workload), None, policy(limits=limits))


def qos_changes(result: Columns) -> bool:
    return bool(result["reasons"][0, 0] & np.uint64(Reason.QOS_CHANGES))


GUARANTEED = {
    "cpu_request_cores": 1.0,
    "cpu_limit_cores": 1.0,
    "memory_request_bytes": 2 * GIB,
    "memory_limit_bytes": 2 * GIB,
}


def test_limits_keep_their_ratio_to_requests() -> None:
    """CPU 0.5 with a limit of 2 is 1 to 4: the target of 0.575 gets 2.3. No memory limit stays none."""
    result = decided(cpu_request_cores=0.5, cpu_limit_cores=2.0)
    assert result["limit_target"][0, 0] == pytest.approx(4 * 0.575)
    assert np.isnan(result["limit_target"][0, 1])


def test_a_guaranteed_workload_stays_guaranteed() -> None:
    """Requests equal limits before and after, so the class stays and no reason is given."""
    result = decided(**GUARANTEED)
    assert result["limit_target"].tolist() == result["target"].tolist()
    assert not qos_changes(result)


def test_dropping_the_cpu_limit_changes_the_class_of_a_guaranteed_workload() -> None:
    result = decided("drop-cpu-limit", **GUARANTEED)
    assert np.isnan(result["limit_target"][0, 0])
    assert result["limit_target"][0, 1] == result["target"][0, 1]
    assert qos_changes(result)


def test_equal_requests_make_a_workload_guaranteed() -> None:
    """Requests without limits are Burstable; with limits equal to requests the class changes, and the reason says so."""
    result = decided("equal-request", cpu_request_cores=1.0, memory_request_bytes=GIB)
    assert result["limit_target"].tolist() == result["target"].tolist()
    assert qos_changes(result)


def test_without_requests_there_is_no_class_to_keep() -> None:
    assert not qos_changes(decided("equal-request"))


def test_a_throttling_limit_is_not_lowered() -> None:
    """Throttled in 20 % of periods by a limit of 2: the target is 0.5 * 1.2 * 1.15 = 0.69, the ratio of 1 to 1 would
    cut the limit to 0.69, and 2 stays."""
    result = decided(throttled=0.2, cpu_request_cores=2.0, cpu_limit_cores=2.0)
    assert result["estimate"][0, 0] == pytest.approx(0.69)
    assert result["limit_target"][0, 0] == 2.0


def test_with_no_request_known_a_limit_only_rises() -> None:
    """A limit of 8 cores and 0.5 GiB beside targets of 0.575 and 1.15 GiB: the memory limit rises to its target."""
    result = decided(cpu_limit_cores=8.0, memory_limit_bytes=GIB / 2)
    assert result["limit_target"][0, 0] == 8.0
    assert result["limit_target"][0, 1] == result["target"][0, 1] == pytest.approx(1.15 * GIB)
