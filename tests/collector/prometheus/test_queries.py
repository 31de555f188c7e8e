"""What is asked of a server, by the metrics that it has."""

from __future__ import annotations

from collector.prometheus.queries import wanted
from collector.prometheus.settings import ImportSettings

KEPT = {
    "container_cpu_usage_seconds_total": "newest",
    "container_memory_working_set_bytes": "highest",
    "node_memory_MemTotal_bytes": "highest",
    "node_memory_MemAvailable_bytes": "lowest",
    "DCGM_FI_DEV_GPU_UTIL": None,
    "DCGM_FI_DEV_POWER_USAGE": None,
}


def test_of_a_window_the_sample_stays_that_tells_the_most_use() -> None:
    """The end of a counter, the peak of memory, the least that was left of it; a GPU's window is not one sample."""
    asked = wanted([*KEPT, "up"], ImportSettings())
    assert {one.metric: one.keep for one in asked} == KEPT
