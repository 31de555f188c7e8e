"""Fetches Debian's package of Prometheus and unpacks it."""

from __future__ import annotations

from pathlib import Path

from deploy.services import debian


def build(target: Path) -> None:
    """Fill `target` with the files of the package: usr/bin/prometheus, usr/bin/promtool, 110 MB."""
    debian.unpack("prometheus", target)
