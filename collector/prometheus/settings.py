"""What to import, and how hard to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How to reach the server."""

    url: str
    """Base of the API, without /api/v1: for Mimir it ends with /prometheus, for a VictoriaMetrics cluster with
    /select/0/prometheus."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with each request, such as X-Scope-OrgID."""

    token: str = field(default="", repr=False)
    """Bearer token; empty: none is sent."""

    ca_file: str = ""
    """PEM file of the authority that signed the server's certificate; empty: the system's authorities."""

    certificate_file: str = ""
    """PEM file of the certificate and key that this client shows; empty: it shows none."""

    verify: bool = True
    """Whether the server's certificate is checked."""

    timeout_s: float = 120.0
    """Longest wait for one answer; the same limit that Prometheus has for a query."""

    remote_read: bool = True
    """Whether to ask for compressed chunks (`/api/v1/read`) first; who does not give them is asked for JSON."""

    partial: bool = False
    """Whether to take an answer that a part of the server did not give (a store of Thanos that is away). What is missing
    then is never asked for again."""

    retries: int = 6
    """Further tries after 429, 5xx, a partial answer or a broken connection. The wait before each doubles from 0.5 s: 30 s
    in all."""


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """What to read."""

    cluster: str = ""
    """Name of the cluster in workload ids. Empty: the series' label `cluster`, else `prometheus`."""

    match: str = ""
    """Label matchers added to every selector, such as `namespace=~"shop|web"`."""

    step_s: float = 0.0
    """Usage of containers and machines is read in windows of this length. 0: every sample there is. Counters lose no growth
    and memory is the highest of its window, but peaks of rates are means over it. GPUs are read with every sample."""

    max_gap_s: float = 600.0
    """A counter that was silent for longer starts anew: its growth is not spread over the gap."""

    answer_samples: int = 130_000
    """Samples that one answer in JSON should hold, 4 MB. Half as many cost a fifth more CPU here; more is hardly faster
    and takes memory on both sides."""

    chunked_samples: int = 1_500_000
    """Samples that one answer in chunks should hold: 8 MB on the wire, 24 MB as columns here."""

    max_span_s: float = 86_400.0
    """Longest span of one query, however few series there are: what a kill repeats, and what the server holds. With
    `step_s` three times that, as of each answer a part is kept."""

    workers: int = 2
    """Queries at once. Two keep a server busy while we work on an answer; each more costs it memory."""

    lag_s: float = 60.0
    """How far behind now `follow` stays: samples that come later than this are not seen."""

    follow_interval_s: float = 15.0
    """How often `follow` asks."""

    @property
    def gap_s(self) -> float:
        """`max_gap_s`, or three steps where those are longer: thinned samples are no silence."""
        return max(self.max_gap_s, 3 * self.step_s)

    @property
    def longest_s(self) -> float:
        """`max_span_s`, or three of them where samples are thinned."""
        return 3 * self.max_span_s if self.step_s else self.max_span_s

    @property
    def lead_s(self) -> float:
        """How much before a span is read with it, so that its first rows have a baseline: five minutes, as far back as
        Prometheus itself looks for a sample, or two steps and a half."""
        return min(self.gap_s, max(300.0, 2.5 * self.step_s))

    def __post_init__(self) -> None:
        if self.step_s < 0:
            raise ValueError(f"step_s is {self.step_s}; it must not be below 0")
        if self.workers < 1:
            raise ValueError(f"workers is {self.workers}; it must be at least 1")
        for name in ("answer_samples", "chunked_samples"):
            if getattr(self, name) < 1000:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1000")
