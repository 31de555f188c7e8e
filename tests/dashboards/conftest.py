"""The real programs behind the dashboards, started once for all tests that ask them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboards.running import Running


@pytest.fixture(scope="module")
def running(prometheus_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """sizewise with CPU and GPU workloads, a webhook that was asked, and a Prometheus that has scraped both."""
    made = Running(prometheus_home, tmp_path_factory.mktemp("dashboards"))
    yield made
    made.close()
