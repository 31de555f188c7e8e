"""Where dcgm-exporter is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DcgmSettings:
    url: str = ""
    """Metrics page of the dcgm-exporter on this node, such as http://127.0.0.1:9400/metrics. Empty: none is read."""

    interval_s: float = 30.0
    """Time between two scrapes. The exporter renews its values every 30 s unless its --collect-interval says less;
    reading more often repeats them."""

    timeout_s: float = 5.0
    """Longest wait for the page."""

    def __post_init__(self) -> None:
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url is {self.url!r}; it must begin with http:// or https://")
        if self.interval_s <= 0:
            raise ValueError(f"interval_s is {self.interval_s}; it must be above 0")
