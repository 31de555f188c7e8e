"""Vegeta: HTTP requests at a constant rate, whatever the answers take."""

from __future__ import annotations

from pathlib import Path

from deploy.services.service import Service, Tool
from deploy.services.tools import run

_MODULE = "github.com/tsenart/vegeta/v12@v12.13.0"
_BUILD_S = 900.0


def build(target: Path) -> None:
    """Fill `target` with usr/bin/vegeta."""
    folder = target / "usr" / "bin"
    folder.mkdir(parents=True)
    run(("env", f"GOBIN={folder}", "go", "install", "-trimpath", "-ldflags=-s -w", _MODULE), _BUILD_S)


VEGETA = Service(
    name="vegeta",
    version="12.13.0",
    about="offers requests at a constant rate",
    cost="1 min of processor time, 10 MB",
    tools=(Tool("go", ("golang-go",)),),
    recipe=(Path(__file__),),
    build=build,
    used_by="benches",
)
