"""Builds Mimir from its Go module."""

from __future__ import annotations

from pathlib import Path

from deploy.services import go_program

VERSION = "3.0.5"
"""As its file VERSION says. Releases are tagged `mimir-3.0.5`, which is no version of a Go module, so that the module
proxy has commits of its main branch only: this one is of 2026-04-23."""

_MODULE_VERSION = "v1.3.1-0.20260423142704-aced80d74930"
_TAGS = "netgo,stringlabels"
"""Those of its releases."""


def build(target: Path) -> None:
    """Fill `target` with usr/bin/mimir."""
    go_program.build(target, "github.com/grafana/mimir", _MODULE_VERSION, "cmd/mimir", _TAGS)
