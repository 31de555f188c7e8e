"""Security options reach the client, and their errors name the setting. The broker's second listener is SASL_SSL."""

from __future__ import annotations

import dataclasses
import uuid

import pytest

from deploy.services.kafka import PASSWORD, USER, KafkaBroker
from stream.contract import LogError, LogUnavailableError
from stream.kafka_log import KafkaLog
from stream.settings import KafkaSettings, LogSettings
from tests.stream.conformance.members import Member, drive, kept_a_day, numbered, read, send


def secure(broker: KafkaBroker, mechanism: str = "SCRAM-SHA-512") -> LogSettings:
    kafka = KafkaSettings(
        security_protocol="SASL_SSL",
        ssl_cafile=str(broker.ca_file),
        sasl_mechanism=mechanism,  # type: ignore[arg-type]
        sasl_plain_username=USER,
        sasl_plain_password=PASSWORD,
        topic_prefix=f"t{uuid.uuid4().hex[:12]}.",
    )
    return LogSettings(f"kafka:{broker.secure_bootstrap}", session_s=6.0, kafka=kafka)


def changed(settings: LogSettings, **kafka: object) -> LogSettings:
    return dataclasses.replace(settings, kafka=dataclasses.replace(settings.kafka, **kafka))  # type: ignore[arg-type]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_everything_works_over_tls_and_sasl(kafka_broker: KafkaBroker, mechanism: str) -> None:
    """Admin, writer, reader, member and transaction each log in by themselves."""
    log = KafkaLog(secure(kafka_broker, mechanism))
    log.ensure([kept_a_day("in", 1), kept_a_day("out", 1)])
    send(log, "in", numbered(2))
    member = Member(log, "g", "in")
    drive([member], lambda: len(member.records) == 2)
    member.subscription.commit({0: 2}, {"out": numbered(1)})
    member.subscription.close()
    assert len(read(log, "out")) == 1
    log.close()


def test_a_wrong_password_names_the_setting(kafka_broker: KafkaBroker) -> None:
    """Refused at once and for good: waiting does not mend it. The error names the user and never the password."""
    log = KafkaLog(changed(secure(kafka_broker), sasl_plain_password="guess"))
    with pytest.raises(LogError, match="check sasl_plain_username and sasl_plain_password") as caught:
        log.partitions("in")
    assert not isinstance(caught.value, LogUnavailableError)
    assert f"sasl_plain_username '{USER}'" in str(caught.value)
    assert "guess" not in str(caught.value)
    log.close()


def test_a_mechanism_that_the_brokers_have_not_is_named(kafka_broker: KafkaBroker) -> None:
    """The listener has PLAIN and SCRAM; Kerberos is for others."""
    log = KafkaLog(changed(secure(kafka_broker), sasl_mechanism="GSSAPI"))
    with pytest.raises(LogError, match="sasl_mechanism GSSAPI"):
        log.partitions("in")
    log.close()


def test_a_broker_with_a_foreign_certificate_is_not_spoken_to(
    kafka_broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the authority of the test broker its certificate proves nothing; the error names the protocol."""
    monkeypatch.setattr("stream.kafka_log.clients.CONNECT_TIMEOUT_S", 1.0)
    log = KafkaLog(changed(secure(kafka_broker), ssl_cafile=""))
    with pytest.raises(LogUnavailableError, match="with security_protocol SASL_SSL"):
        log.partitions("in")
    log.close()


def test_a_file_that_is_not_there_names_the_setting(kafka_broker: KafkaBroker) -> None:
    """Found when the log is opened, before anything is sent."""
    with pytest.raises(LogError, match=r"ssl_cafile is '/nowhere/ca\.pem'"):
        KafkaLog(changed(secure(kafka_broker), ssl_cafile="/nowhere/ca.pem"))
