"""Fixtures that start real services, once per run. A service that is not built leaves its tests out, and says so."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deploy.services.cache import Cache
from deploy.services.kafka import KAFKA, KafkaBroker
from deploy.services.kubernetes import KUBERNETES, KubernetesCluster
from deploy.services.mimir import MIMIR
from deploy.services.prometheus import PROMETHEUS
from deploy.services.prometheus3 import PROMETHEUS3
from deploy.services.registry import SERVICES
from deploy.services.service import Service
from deploy.services.thanos import THANOS
from deploy.services.victoria_metrics import VICTORIA_METRICS

REQUIRE = "SIZEWISE_REQUIRE_SERVICES"
"""Set to 1 (CI does): a missing service fails its tests instead of leaving them out."""


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[KafkaBroker]:
    """A real broker. A test that stops, kills or pauses it leaves it running as it was."""
    broker = KafkaBroker(home_of(KAFKA))
    yield broker
    broker.close()


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_broker: KafkaBroker) -> str:
    """HOST:PORT of the real broker."""
    return kafka_broker.bootstrap


@pytest.fixture(scope="session")
def prometheus_home() -> Path:
    """Where prometheus and promtool are; a test starts a PrometheusServer of its own on data of its own."""
    return home_of(PROMETHEUS)


@pytest.fixture(scope="session")
def prometheus3_home() -> Path:
    """Where Prometheus 3 is, for a PrometheusServer of the test's own."""
    return home_of(PROMETHEUS3)


@pytest.fixture(scope="session")
def victoria_metrics_home() -> Path:
    return home_of(VICTORIA_METRICS)


@pytest.fixture(scope="session")
def thanos_home() -> Path:
    return home_of(THANOS)


@pytest.fixture(scope="session")
def mimir_home() -> Path:
    return home_of(MIMIR)


@pytest.fixture(scope="session")
def kubernetes_cluster() -> Iterator[KubernetesCluster]:
    """A real control plane. Tests share it: each works in namespaces of its own and removes what is of the cluster."""
    cluster = KubernetesCluster(home_of(KUBERNETES))
    yield cluster
    cluster.close()


def home_of(service: Service) -> Path:
    """Where the service is built. When it is not: skips the test, or fails it where services are required, which those
    are not that `make services` leaves out."""
    cache = Cache.from_environment()
    if cache.has(service):
        return cache.home(service)
    if os.environ.get(REQUIRE) == "1" and service.used_by == "tests":
        pytest.fail(f"{_not_built(service)}: run `{service.how_to_build}`", pytrace=False)
    pytest.skip(_not_built(service))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """`-m "not kafka"` leaves out whatever asks for the broker, without a mark on each test."""
    for item in items:
        if "kafka_broker" in getattr(item, "fixturenames", ()):
            item.add_marker("kafka")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line per service that was left out: how many tests, and the command that gets it in."""
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())]
    for service in SERVICES.values():
        if left_out := sum(_not_built(service) in reason for reason in reasons):
            line = (
                f"left out: {left_out} tests that need {service}. `{service.how_to_build}` gets it in ({service.cost})"
            )
            terminalreporter.write_line(line, yellow=True)


def _not_built(service: Service) -> str:
    return f"{service} is not built"
