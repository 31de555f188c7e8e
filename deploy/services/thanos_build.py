"""Builds Thanos from its Go module."""

from __future__ import annotations

from pathlib import Path

from deploy.services import go_program

VERSION = "0.42.4"
"""The newest that Go 1.26.8 builds."""

_TAGS = "netgo,slicelabels"
"""Those of its releases. It casts labels to its own type: without `slicelabels` a store gateway dies at the first."""


def build(target: Path) -> None:
    """Fill `target` with usr/bin/thanos."""
    go_program.build(target, "github.com/thanos-io/thanos", f"v{VERSION}", "cmd/thanos", _TAGS)
