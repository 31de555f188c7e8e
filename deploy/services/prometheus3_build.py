"""Builds Prometheus 3 from its Go module."""

from __future__ import annotations

from pathlib import Path

from deploy.services.tools import run

_MODULE = "github.com/prometheus/prometheus/cmd/prometheus@v0.316.0"
"""The Go module counts 0.3xx where the release counts 3.xx. The checksum database vouches for it and all it needs."""
_BUILD_S = 3600.0


def build(target: Path) -> None:
    """Fill `target` with usr/bin/prometheus, where Debian's package has it too."""
    folder = target / "usr" / "bin"
    folder.mkdir(parents=True)
    run(("env", f"GOBIN={folder}", "go", "install", "-trimpath", "-ldflags=-s -w", _MODULE), _BUILD_S)
