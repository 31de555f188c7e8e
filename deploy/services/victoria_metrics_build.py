"""Builds VictoriaMetrics from its Go module."""

from __future__ import annotations

from pathlib import Path

from deploy.services import go_program

VERSION = "1.151.0"
"""The newest that Go 1.26 builds."""


def build(target: Path) -> None:
    """Fill `target` with usr/bin/victoria-metrics."""
    go_program.build(target, "github.com/VictoriaMetrics/VictoriaMetrics", f"v{VERSION}", "app/victoria-metrics")
