"""Settings of the push receivers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """Bounds on what one sender can make us hold. Times are compared with this machine's clock."""

    address: str = ""
    """HOST:PORT to receive remote-write and OTLP at; empty: nothing is received. [::]:9201 for IPv6."""

    token: str = ""
    """Bearer token that senders must show; empty: whoever reaches the address may send, which only loopback allows."""

    certificate_file: str = ""
    """PEM file of the certificate for TLS, with its chain; empty: plain HTTP."""

    key_file: str = ""
    """PEM file of the certificate's key; empty: it is in certificate_file."""

    insecure_anyone_may_write: bool = False
    """Take samples at any address without TLS or without a token: whoever reaches it makes up what workloads use."""

    settle_s: float = 10.0
    """How long samples wait for their siblings: a sender splits one scrape over several requests, up to its
    batch_send_deadline (5 s in Prometheus) apart."""

    max_gap_s: float = 600.0
    """A series that was silent for longer starts anew: its growth is not spread over the gap."""

    max_body_bytes: int = 16 << 20
    """Largest body as sent. Prometheus sends 2,000 samples at a time: 100 kB."""

    max_unpacked_bytes: int = 32 << 20
    """Largest body once unpacked; one that declares or reaches more is refused. That is 50,000 samples at once."""

    max_labels: int = 64
    """Most labels of one series; cAdvisor's have 15, Prometheus' own limit is none."""

    max_label_bytes: int = 4096
    """Longest label name or value. The longest honest ones are image names and cgroup paths, about 300."""

    max_series: int = 1_000_000
    """Most series known at once, about 1 kB each; further ones are refused until others fall silent."""

    max_sender_series: int = 500_000
    """Most of them from one address, so that one sender cannot keep the others out."""

    max_waiting_samples: int = 20_000_000
    """Samples in memory that wait to become rows, 20 bytes each; over it senders are asked to come again."""

    max_age_s: float = 86_400.0
    """Older samples are refused: a sender catches up on hours, and history has its own command."""

    max_ahead_s: float = 300.0
    """Samples further in the future are refused. Clocks of a cluster agree within seconds."""

    idle_s: float = 3600.0
    """A series without samples for this long is forgotten."""

    def __post_init__(self) -> None:
        if self.address and not self.address.rpartition(":")[2].isdigit():
            raise ValueError(f"address is {self.address!r}; it must be HOST:PORT, such as 0.0.0.0:9201")
        if self.address and not self._asks_or_loopback and not self.insecure_anyone_may_write:
            raise ValueError(
                f"address is {self.address!r}, which others can reach: set token, certificate_file and key_file, so that senders "
                "show who they are and nobody reads it on the way, listen on 127.0.0.1, or say --insecure-anyone-may-write"
            )
        if self.settle_s < 0:
            raise ValueError(f"settle_s is {self.settle_s}; it must not be below 0")
        if self.idle_s <= self.max_gap_s:
            raise ValueError(f"idle_s is {self.idle_s}; it must be above max_gap_s ({self.max_gap_s})")
        for name in ("max_body_bytes", "max_unpacked_bytes", "max_labels", "max_label_bytes", "max_series"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")

    @property
    def host_port(self) -> tuple[str, int]:
        host, _, port = self.address.rpartition(":")
        return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104  (what `:9201` means everywhere)

    @property
    def _asks_or_loopback(self) -> bool:
        return bool(self.token and self.certificate_file) or self.host_port[0] in ("127.0.0.1", "::1", "localhost")
