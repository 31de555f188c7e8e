"""A log on the real broker, with topics of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from deploy.services.kafka import KafkaBroker
from stream.kafka_log import KafkaLog
from stream.settings import KafkaSettings, LogSettings


@pytest.fixture
def kafka_settings(kafka_broker: KafkaBroker) -> LogSettings:
    own_topics = KafkaSettings(topic_prefix=f"t{uuid.uuid4().hex[:12]}.")
    return LogSettings(f"kafka:{kafka_broker.bootstrap}", session_s=6.0, kafka=own_topics)


@pytest.fixture
def kafka_log(kafka_settings: LogSettings) -> Iterator[KafkaLog]:
    log = KafkaLog(kafka_settings)
    yield log
    log.close()
