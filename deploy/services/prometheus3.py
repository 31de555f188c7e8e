"""Prometheus 3 from its Go module: the sender of remote-write 2.0. Started like Debian's."""

from __future__ import annotations

from pathlib import Path

from deploy.services.prometheus import PrometheusServer
from deploy.services.service import Service, Tool
from deploy.services.tools import run

VERSION = "3.16"
_MODULE = "github.com/prometheus/prometheus/cmd/prometheus@v0.316.0"
"""The Go module counts 0.3xx where the release counts 3.xx. The checksum database vouches for it and all it needs."""
_BUILD_S = 1800.0


def build(target: Path) -> None:
    """Fill `target` with usr/bin/prometheus, where Debian's package has it too."""
    folder = target / "usr" / "bin"
    folder.mkdir(parents=True)
    run(("env", f"GOBIN={folder}", "go", "install", "-trimpath", "-ldflags=-s -w", _MODULE), _BUILD_S)


PROMETHEUS3 = Service(
    name="prometheus3",
    version=VERSION,
    about="pushes remote-write 2.0",
    cost="8 min, 130 MB",
    tools=(Tool("go", ("golang-go",)),),
    recipe=(Path(__file__),),
    build=build,
    start=PrometheusServer,
)
