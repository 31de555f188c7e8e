"""A service is sized by measured points: most requests/s within its share of the latency, per size."""

from __future__ import annotations

from recommender.mig.demand import Size
from recommender.mig.services import ServicePoint, ServicePolicy, ServiceTarget, size_service

ONE, TWO = Size("a100", "1g"), Size("a100", "2g")
POINTS = [
    ServicePoint(ONE, 1, 1, 100.0, 0.010),
    ServicePoint(ONE, 8, 1, 300.0, 0.030),
    ServicePoint(ONE, 8, 2, 300.0, 0.040),
    ServicePoint(ONE, 32, 1, 500.0, 0.090),
    ServicePoint(TWO, 32, 1, 0.0, 0.0),
]


def test_the_batch_with_most_requests_within_half_of_the_latency_limit() -> None:
    """Limit 100 ms, share 0.5: the 90 ms batch is out; of two points with 300/s the one with fewer processes stays."""
    sized = size_service(ServiceTarget("s", 250, 0.1), POINTS, ServicePolicy())
    assert sized.demand.gives == {ONE: 300.0}
    assert (sized.points[ONE].batch, sized.points[ONE].processes) == (8, 1)


def test_headroom_raises_the_rate() -> None:
    """250 requests/s with 20 % headroom are 300."""
    sized = size_service(ServiceTarget("s", 250, 0.1), POINTS, ServicePolicy(rate_headroom=0.2))
    assert sized.demand.amount == 300


def test_a_latency_that_nothing_keeps_is_answered_with_the_fastest_point() -> None:
    """15 ms limit: 7.5 ms allowed, the fastest takes 10."""
    sized = size_service(ServiceTarget("s", 250, 0.015), POINTS, ServicePolicy())
    assert sized.demand.gives == {}
    assert "takes 0.01 s; 0.0075 s are allowed" in sized.reason


def test_points_that_ran_out_of_memory_are_no_points() -> None:
    """0 requests/s is not an answer; with nothing else the mend is to measure."""
    sized = size_service(ServiceTarget("s", 1, 1), POINTS[-1:], ServicePolicy())
    assert "measure at least one" in sized.reason
