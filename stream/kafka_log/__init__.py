"""The event log in Apache Kafka.

Law: kafka-python is imported here and nowhere else, and what it raises leaves as an error of `stream.contract`. What it
has no public way for is in `internals`, one function each. Topics, groups and transactions carry the configured prefix.
"""

from stream.kafka_log.log import KafkaLog

__all__ = ["KafkaLog"]
