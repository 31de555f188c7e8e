"""kafka-python's clients, all with the same brokers, security and patience."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from stream.contract import LogError
from stream.kafka_log.errors import translated
from stream.kafka_log.internals import DIRECT, TidyClient
from stream.settings import KafkaSettings, LogSettings

CONNECT_TIMEOUT_S = 10.0
"""How long opening a client may take. A broker on the same continent answers in well under one second."""

_OURS = ("topic_prefix", "replication_factor")
_PATIENCE = {
    "request_timeout_ms": 15_000,  # half of Kafka's default: a broker that stalls longer is as good as away
    "reconnect_backoff_max_ms": 2_000,  # instead of 30 s: nodes are back in use seconds after a broker is
}
BATCH_BYTES = 512 << 10
"""A partition has one batch in flight, so its size sets the throughput; topics take at least twice as much."""
REQUEST_BYTES = 32 << 20
_FETCH_BYTES = 2 << 20
_FOREVER_MS = (1 << 31) - 1


class Clients:
    """Makes clients. Each is closed by who asked for it."""

    def __init__(self, settings: LogSettings) -> None:
        _require_files(settings.kafka)
        self.settings = settings.kafka
        self.session_ms = int(settings.session_s * 1000)
        self._location = settings.location
        given = {name: value for name, value in asdict(settings.kafka).items() if name not in _OURS and value != ""}
        self._config: dict[str, Any] = {"bootstrap_servers": list(settings.bootstrap), **given, **_PATIENCE, **DIRECT}

    def admin(self) -> Any:
        return self._made(KafkaAdminClient, CONNECT_TIMEOUT_S)

    def producer(self, connect_timeout_s: float = CONNECT_TIMEOUT_S, **options: Any) -> Any:
        """Idempotent, acknowledged by all in-sync replicas. Nothing it holds expires by itself: one lost batch between
        two that were written would turn the order of a partition around."""
        return self._made(
            KafkaProducer,
            connect_timeout_s,
            acks="all",
            enable_idempotence=True,
            compression_type=None,  # values are zstd frames already
            linger_ms=5,
            batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES,
            delivery_timeout_ms=_FOREVER_MS,
            max_block_ms=int(max(connect_timeout_s, 0.1) * 1000),
            allow_auto_create_topics=False,
            metrics_enabled=False,
            **options,
        )

    def consumer(self, **options: Any) -> Any:
        """Sees what was committed, commits nothing by itself, starts at the oldest message where nothing else is said."""
        return self._made(
            KafkaConsumer,
            CONNECT_TIMEOUT_S,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=_FETCH_BYTES,
            allow_auto_create_topics=False,
            metrics_enabled=False,
            **options,
        )

    def _made(self, kind: Callable[..., Any], connect_timeout_s: float, **options: Any) -> Any:
        """A constructor that fails leaves its connections and its thread behind, so they are kept at hand to be closed."""
        inner: list[TidyClient] = []

        def net_client(**config: Any) -> TidyClient:
            inner.append(TidyClient(**config))
            return inner[-1]

        timeout_ms = int(max(connect_timeout_s, 0.1) * 1000)
        with translated(f"connecting to {self._location} with {_login(self.settings)}"):
            try:
                return kind(kafka_client=net_client, bootstrap_timeout_ms=timeout_ms, **self._config, **options)
            except BaseException:
                for client in inner:
                    client.close()
                raise


def _login(settings: KafkaSettings) -> str:
    """The settings that a connection may fail on. Brokers that refuse a login close the connection, and the refusal may
    be lost with it, so that the error says no more than that time is up."""
    if not settings.sasl_mechanism:
        return f"security_protocol {settings.security_protocol}"
    user = f" and sasl_plain_username {settings.sasl_plain_username!r}" if settings.sasl_plain_username else ""
    return f"security_protocol {settings.security_protocol}, sasl_mechanism {settings.sasl_mechanism}{user}"


def _require_files(settings: KafkaSettings) -> None:
    """kafka-python would try such a file again and again until its time is up, and say nothing of it."""
    for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        if (path := getattr(settings, name)) and not os.access(path, os.R_OK):
            raise LogError(f"{name} is {path!r}, which cannot be read; give the path of a PEM file")
