"""Topics: created so that nothing is lost, and refused where something would be."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient  # noqa: TID251  (looks at what the adapter made, without the adapter)
from kafka.admin import ConfigResource, ConfigResourceType  # noqa: TID251

from stream.contract import LogError, Message, StreamSpec
from stream.kafka_log import KafkaLog
from stream.kafka_log.topics import check_topic, topic_config
from stream.settings import LogSettings
from tests.stream.conformance.members import DAY_MS, kept_a_day, read, send


@pytest.fixture
def admin(kafka_bootstrap: str) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    yield client
    client.close()


def configs(admin: KafkaAdminClient, topic: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    found = admin.describe_configs([resource], config_filter="all")["topic"][topic]
    return {name: entry["value"] for name, entry in found.items()}


def alter(admin: KafkaAdminClient, topic: str, **settings: str) -> None:
    """Change settings, and wait until the broker tells of them: the controller confirms before the broker knows."""
    wanted = {name.replace("_", "."): value for name, value in settings.items()}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, wanted)])
    deadline = time.monotonic() + 30
    while not wanted.items() <= configs(admin, topic).items():
        assert time.monotonic() < deadline, f"the broker does not tell of {wanted}"
        time.sleep(0.05)


def test_a_retained_topic_goes_by_the_brokers_clock(
    kafka_log: KafkaLog, kafka_settings: LogSettings, admin: KafkaAdminClient
) -> None:
    """Kept a day by the time of writing, so that a recording of last year is not expired before it is read."""
    kafka_log.ensure([kept_a_day("in", 2)])
    found = configs(admin, kafka_settings.kafka.topic_prefix + "in")
    assert (found["cleanup.policy"], found["retention.ms"], found["retention.bytes"]) == ("delete", str(DAY_MS), "-1")
    assert found["message.timestamp.type"] == "LogAppendTime"
    assert found["unclean.leader.election.enable"] == "false"


def test_a_compacted_topic_keeps_deletions_a_day(
    kafka_log: KafkaLog, kafka_settings: LogSettings, admin: KafkaAdminClient
) -> None:
    """Compacted and nothing else; room for 8 MiB and framing; the active segment is rolled by the hour."""
    kafka_log.ensure([StreamSpec("state", 1, compacted=True, max_message_bytes=8 << 20)])
    found = configs(admin, kafka_settings.kafka.topic_prefix + "state")
    assert (found["cleanup.policy"], found["delete.retention.ms"]) == ("compact", str(DAY_MS))
    assert int(found["max.message.bytes"]) == (8 << 20) + (16 << 10)
    assert found["segment.ms"] == str(3_600_000)


def test_replicas_that_must_confirm_follow_the_number_of_copies() -> None:
    """Of three copies two must confirm, so that one broker may be away; of one copy, that one."""
    spec = kept_a_day("in", 1)
    assert [topic_config(spec, copies)["min.insync.replicas"] for copies in (1, 2, 3)] == ["1", "1", "2"]


def test_fewer_confirmations_than_copies_allow_are_refused() -> None:
    """Three copies of which one must confirm: a broker that dies alone with a message takes it along."""
    spec = kept_a_day("in", 1)
    config = topic_config(spec, 3) | {"min.insync.replicas": "1"}
    check_topic("in", spec, config, replicas=1)
    with pytest.raises(LogError, match=r"--add-config min\.insync\.replicas=2`"):
        check_topic("in", spec, config, replicas=3)


def test_more_copies_than_brokers_names_the_setting(kafka_settings: LogSettings) -> None:
    """Three copies on one broker: the error says which setting to change."""
    asked = dataclasses.replace(kafka_settings.kafka, replication_factor=3)
    log = KafkaLog(dataclasses.replace(kafka_settings, kafka=asked))
    with pytest.raises(LogError, match="replication_factor"):
        log.ensure([kept_a_day("in", 1)])
    log.close()


@pytest.mark.parametrize(
    ("spec", "setting", "value", "needed"),
    [
        (StreamSpec("in", 1, compacted=True), "cleanup_policy", "compact,delete", "cleanup.policy=compact"),
        (kept_a_day("in", 1), "cleanup_policy", "compact,delete", "cleanup.policy=delete"),
        (kept_a_day("in", 1), "retention_ms", "1000", f"retention.ms={DAY_MS}"),
        (kept_a_day("in", 1), "unclean_leader_election_enable", "true", "unclean.leader.election.enable=false"),
    ],
)
def test_a_topic_that_would_lose_messages_is_refused(
    kafka_log: KafkaLog,
    kafka_settings: LogSettings,
    admin: KafkaAdminClient,
    spec: StreamSpec,
    setting: str,
    value: str,
    needed: str,
) -> None:
    """Somebody changed it by hand: the error has the command that puts it right."""
    kafka_log.ensure([spec])
    alter(admin, kafka_settings.kafka.topic_prefix + "in", **{setting: value})
    with pytest.raises(LogError, match=rf"--add-config {needed}`"):
        kafka_log.ensure([spec])


def test_a_topic_that_keeps_more_is_fine(
    kafka_log: KafkaLog, kafka_settings: LogSettings, admin: KafkaAdminClient
) -> None:
    """Retention without an end is more than a day."""
    kafka_log.ensure([kept_a_day("in", 1)])
    alter(admin, kafka_settings.kafka.topic_prefix + "in", retention_ms="-1")
    kafka_log.ensure([kept_a_day("in", 1)])


def test_a_bound_that_grew_is_raised_on_the_topic(kafka_log: KafkaLog) -> None:
    """A release that sends larger messages finds its topic ready for them: 3 MiB after it was made for 1."""
    kafka_log.ensure([kept_a_day("in", 1)])
    kafka_log.ensure([StreamSpec("in", 1, retention_ms=DAY_MS, max_message_bytes=3 << 20)])
    send(kafka_log, "in", [Message("k", bytes((3 << 20) - 1))])
    assert len(read(kafka_log, "in")[0].value or b"") == (3 << 20) - 1


def test_another_process_reads_the_bound_from_the_topic(kafka_log: KafkaLog, kafka_settings: LogSettings) -> None:
    """A writer that did not create the stream knows its bound all the same."""
    kafka_log.ensure([StreamSpec("in", 1, retention_ms=DAY_MS, max_message_bytes=3 << 20)])
    other = KafkaLog(kafka_settings)
    send(other, "in", [Message("k", bytes((3 << 20) - 1))])
    with pytest.raises(LogError, match="at most 3145728"):
        send(other, "in", [Message("k", bytes(3 << 20))])
    other.close()


def test_compaction_leaves_gaps_that_a_reader_passes(
    kafka_log: KafkaLog, kafka_settings: LogSettings, admin: KafkaAdminClient
) -> None:
    """100 versions of one key: when the cleaner has been there, a reader from the beginning has fewer messages than
    offsets, the newest among them, and still knows that it has read everything."""
    kafka_log.ensure([StreamSpec("state", 1, compacted=True)])
    topic = kafka_settings.kafka.topic_prefix + "state"
    alter(admin, topic, segment_ms="50", min_cleanable_dirty_ratio="0.01", max_compaction_lag_ms="100")
    versions = 0
    while len(records := read(kafka_log, "state")) == versions:
        for version in range(versions, versions + 10):
            send(kafka_log, "state", [Message("k", str(version).encode())])
        versions += 10
    assert kafka_log.offsets("state")[0][1] == versions
    assert records[-1].value == str(versions - 1).encode()
    assert [record.offset for record in records] == [int(record.value or b"") for record in records]
