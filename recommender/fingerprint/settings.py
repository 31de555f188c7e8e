"""Settings of the fingerprint model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FingerprintSettings:
    model: str = ""
    """Folder where `sizewise train fingerprint` keeps its versions; empty: none, and fingerprints are not told. `up` has one
    in its state folder."""

    check_interval_s: float = 60.0
    """How soon a new version is used, and how often drift is measured: 256 workloads in half a second of processor time."""

    train_every_hours: float = 24.0
    """How often `up` learns anew from what the log holds, in a process of its own; 0: never. In a cluster run
    `sizewise train fingerprint --every 1d` once, beside the recommenders."""

    def __post_init__(self) -> None:
        if self.check_interval_s < 1:
            raise ValueError(f"check_interval_s is {self.check_interval_s}; it must be at least 1")
        if self.train_every_hours < 0:
            raise ValueError(f"train_every_hours is {self.train_every_hours}; it must be 0 (never) or more")
