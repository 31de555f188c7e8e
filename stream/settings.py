"""Which event log to use, and how to reach it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SQLITE, KAFKA = "sqlite:", "kafka:"


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """How to reach and use the brokers. The `ssl_` and `sasl_` options go to kafka-python as they are."""

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """What the brokers' listener speaks."""
    ssl_cafile: str = ""
    """PEM file of the authority that signed the brokers' certificates; empty: the system's authorities."""
    ssl_certfile: str = ""
    """PEM file of the certificate that this client shows; empty: it shows none."""
    ssl_keyfile: str = ""
    """PEM file of that certificate's private key."""
    ssl_password: str = field(default="", repr=False)
    """Opens the private key; empty: the key is not encrypted."""
    ssl_check_hostname: bool = True
    """Whether a broker's certificate must carry the name it is reached by. Off only for brokers reached by address."""
    sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI"] = ""
    """How to log in; needed with SASL_PLAINTEXT and SASL_SSL."""
    sasl_plain_username: str = ""
    """User name for PLAIN and SCRAM."""
    sasl_plain_password: str = field(default="", repr=False)
    """Password for PLAIN and SCRAM."""
    sasl_kerberos_service_name: str = "kafka"
    """Service part of the brokers' principal, for GSSAPI."""
    topic_prefix: str = "sizewise."
    """Put before each stream's name, so that the topics of a shared cluster tell whose they are."""
    replication_factor: int = -1
    """Copies of each topic that is created; -1: three, or as many as there are brokers when those are fewer."""

    def __post_init__(self) -> None:
        if self.security_protocol.startswith("SASL") and not self.sasl_mechanism:
            raise ValueError(f"security_protocol {self.security_protocol} needs sasl_mechanism, such as SCRAM-SHA-512")
        if bool(self.ssl_certfile) != bool(self.ssl_keyfile):
            raise ValueError("ssl_certfile and ssl_keyfile go together: give both or neither")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The event log of one installation. Every role of it has the same."""

    location: str = "sqlite:sizewise.db"
    """`sqlite:PATH`: one file on this machine. `kafka:HOST:PORT[,HOST:PORT...]`: a cluster."""
    partitions: int = 0
    """Partitions of the streams that are created: at most so many profilers share the work. 0: 8 in a cluster, 2 in a file,
    which one machine's processes share. A stream keeps the number that it was created with. More partitions make smaller
    messages, which cost more for each row: of two weeks of history in 8 the profiler's work was twice that in 2."""
    sqlite_synchronous: Literal["full", "normal"] = "full"
    """full: what was confirmed survives a power cut, for one fsync a batch. normal: it survives any kill of a process,
    and a power cut may take the newest second."""
    session_s: float = 30.0
    """A member of a group that neither polls nor commits for so long is taken for dead, and its partitions go to
    others. A killed process on SQLite is noticed at once; on Kafka this is also how long that takes, and at least 6."""
    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    """Used when `location` is a cluster."""

    def __post_init__(self) -> None:
        if not self.location.startswith((SQLITE, KAFKA)) or not self.location.partition(":")[2]:
            raise ValueError(
                f"log location {self.location!r} is neither sqlite:PATH nor kafka:HOST:PORT; try sqlite:sizewise.db"
            )
        if not 0 <= self.partitions <= 10_000:
            raise ValueError(f"log partitions is {self.partitions}; it must be 1 to 10,000, or 0 for the usual number")
        if self.session_s < 1:
            raise ValueError(f"log session_s is {self.session_s}; it must be at least 1")

    @property
    def partitions_made(self) -> int:
        """Of a stream that is created."""
        return self.partitions or (2 if self.location.startswith(SQLITE) else 8)

    @property
    def path(self) -> Path:
        """The file of a `sqlite:` location."""
        return Path(self.location.removeprefix(SQLITE)).expanduser()

    @property
    def bootstrap(self) -> tuple[str, ...]:
        """The brokers of a `kafka:` location."""
        return tuple(part.strip() for part in self.location.removeprefix(KAFKA).split(",") if part.strip())
