"""The real broker as tests have it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from deploy.services.cache import Cache
from deploy.services.kafka import KafkaBroker
from deploy.services.registry import service_named
from deploy.services.service import ServiceError
from tests.services.plugin import REQUIRE


def test_the_broker_keeps_its_address_over_a_restart(kafka_broker: KafkaBroker) -> None:
    """Clients that hold the address find the same broker again."""
    before = kafka_broker.bootstrap, kafka_broker.pid
    kafka_broker.stop()
    kafka_broker.start()
    assert kafka_broker.bootstrap == before[0]
    assert kafka_broker.pid != before[1]


@pytest.mark.parametrize(("required", "outcome"), [("0", "1 skipped"), ("1", "1 error")])
def test_a_missing_service_is_named_with_the_command(tmp_path, required: str, outcome: str) -> None:
    """Left out and named in one line; where services are required, an error."""
    environment = os.environ | {REQUIRE: required, "SIZEWISE_SERVICES": str(tmp_path)}
    this = f"{__file__}::test_the_broker_keeps_its_address_over_a_restart"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", this]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert outcome in done.stdout
    assert "`make services`" in done.stdout
    named = [line for line in done.stdout.splitlines() if line.startswith("left out: 1 tests that need kafka 4.3.1.")]
    assert len(named) == (required == "0")


def test_an_unknown_service_is_answered_with_the_known() -> None:
    """The error names the mend."""
    with pytest.raises(ServiceError, match="no service 'rabbit'; there are: kafka"):
        service_named("rabbit")


def test_a_port_that_is_taken_is_named(kafka_broker: KafkaBroker) -> None:
    """The answers of another broker are not taken for ours."""
    taken = int(kafka_broker.bootstrap.rpartition(":")[2])
    with pytest.raises(ServiceError, match=rf"port {taken} of 127\.0\.0\.1 is taken"):
        KafkaBroker(Cache.from_environment().require(service_named("kafka")), taken)
