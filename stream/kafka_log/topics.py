"""Topics: what a stream is created with, and whether one that exists keeps as much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from stream.contract import LogError, StreamSpec
from stream.kafka_log.clients import BATCH_BYTES
from stream.kafka_log.errors import log_error

OVERHEAD_BYTES = 16 << 10
"""Batch and record framing, over what `routing.message_bytes` counts."""
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000


def topic_config(spec: StreamSpec, replicas: int) -> dict[str, str]:
    """The settings of a new topic."""
    config = {
        "max.message.bytes": str(max(spec.max_message_bytes + OVERHEAD_BYTES, 2 * BATCH_BYTES)),
        # By the broker's clock, so that a recording of last year is kept as long as what is measured now.
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(_must_confirm(replicas)),
        "unclean.leader.election.enable": "false",
    }
    if spec.compacted:
        # Slabs are written again every few seconds: compact when a third is stale, and roll the active segment, which
        # is never compacted, by the hour, or a restart would read a day of them.
        compaction = {"min.cleanable.dirty.ratio": "0.3", "segment.ms": str(_HOUR_MS), "segment.bytes": str(256 << 20)}
        return config | compaction | {"cleanup.policy": "compact", "delete.retention.ms": str(_DAY_MS)}
    assert spec.retention_ms is not None
    # Whole segments are deleted: with a tenth of the time in each, at most a tenth more is kept.
    segment_ms = max(60_000, spec.retention_ms // 10)
    kept = {"retention.ms": str(spec.retention_ms), "retention.bytes": "-1", "segment.ms": str(segment_ms)}
    return config | kept | {"cleanup.policy": "delete"}


def create_topics(admin: Any, specs: Mapping[str, StreamSpec], replication_factor: int) -> None:
    """Create the topics that do not exist, by topic name."""
    replicas = replication_factor if replication_factor > 0 else _affordable_replicas(admin)
    topics = {
        topic: {
            "num_partitions": spec.partitions,
            "replication_factor": replicas,
            "configs": topic_config(spec, replicas),
        }
        for topic, spec in specs.items()
    }
    answer = admin.create_topics(topics, timeout_ms=15_000, raise_errors=False)
    for topic in answer["topics"]:
        _raise_unless_created(topic)
    admin.wait_for_topics(list(topics))


def _affordable_replicas(admin: Any) -> int:
    """Three, which outlive one broker while another is in repair, or as many as there are brokers."""
    return min(3, len(admin.describe_cluster()["brokers"]))


def _raise_unless_created(topic: Mapping[str, Any]) -> None:
    code = topic["error_code"]
    if code in (0, TopicAlreadyExistsError.errno):  # another process may have been first
        return
    raise log_error(f"creating topic {topic['name']!r}", for_code(code)(topic.get("error_message")))


@dataclass(frozen=True, slots=True)
class Existing:
    """A topic as it is: partitions, and copies of the partition that has fewest."""

    partitions: int
    replicas: int


def existing_topics(admin: Any, topics: Sequence[str]) -> dict[str, Existing]:
    """Those of these topics that exist."""
    found = {}
    for topic in admin.describe_topics(list(topics)):
        if topic["error_code"] == 0:
            copies = min(len(partition["replica_nodes"]) for partition in topic["partitions"])
            found[topic["name"]] = Existing(len(topic["partitions"]), copies)
        elif topic["error_code"] != UnknownTopicOrPartitionError.errno:
            raise log_error(f"describing topic {topic['name']!r}", for_code(topic["error_code"])())
    return found


def read_configs(admin: Any, topics: Sequence[str]) -> dict[str, dict[str, str]]:
    """The settings in force of each topic, defaults included."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    found = admin.describe_configs(resources, config_filter="all").get("topic", {})
    return {topic: {name: entry["value"] for name, entry in config.items()} for topic, config in found.items()}


def check_topic(topic: str, spec: StreamSpec, config: Mapping[str, str], replicas: int) -> None:
    """Raise LogError, with the setting and the mend, when messages would be lost that the stream keeps."""
    for name, needed in _needed(spec, config, replicas).items():
        raise LogError(
            f"topic {topic!r} has {name}={config[name]}, but stream {spec.name!r} needs {needed}, or messages could be "
            f"lost: `kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {name}={needed}`"
        )


def _needed(spec: StreamSpec, config: Mapping[str, str], replicas: int) -> dict[str, str]:
    needed: dict[str, str] = {}
    if config["unclean.leader.election.enable"] == "true":
        needed["unclean.leader.election.enable"] = "false"
    if int(config["min.insync.replicas"]) < _must_confirm(replicas):
        needed["min.insync.replicas"] = str(_must_confirm(replicas))
    policy = "compact" if spec.compacted else "delete"
    if config["cleanup.policy"] != policy:
        needed["cleanup.policy"] = policy
    if spec.retention_ms is not None and 0 <= int(config["retention.ms"]) < spec.retention_ms:
        needed["retention.ms"] = str(spec.retention_ms)
    return needed


def _must_confirm(replicas: int) -> int:
    """All copies but one, which may be away."""
    return max(1, replicas - 1)


def raise_bounds(admin: Any, specs: Mapping[str, StreamSpec], configs: Mapping[str, Mapping[str, str]]) -> None:
    """Let topics that exist take messages as large as the streams say."""
    resources = []
    for topic, spec in specs.items():
        needed = spec.max_message_bytes + OVERHEAD_BYTES
        if int(configs[topic]["max.message.bytes"]) < needed:
            resources.append(ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(needed)}))
    if resources:
        admin.alter_configs(resources)
