"""The log that the settings name. Only its own client is imported: a laptop never loads Kafka's."""

from __future__ import annotations

from stream.contract import EventLog
from stream.settings import KAFKA, LogSettings


def open_log(settings: LogSettings) -> EventLog:
    """The log, ready to use; close it. Raises LogError when it is there and cannot be used, LogUnavailableError when
    it cannot be reached."""
    if settings.location.startswith(KAFKA):
        from stream.kafka_log import KafkaLog

        return KafkaLog(settings)
    from stream.sqlite_log import SqliteLog

    return SqliteLog(settings.path, synchronous=settings.sqlite_synchronous, session_s=settings.session_s)
