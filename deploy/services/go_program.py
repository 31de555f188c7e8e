"""Programs built from Go modules of the module proxy."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from deploy.services.service import ServiceError, Tool
from deploy.services.tools import run

TOOLS = (Tool("go", ("golang-go",)),)
"""What `build` calls."""

_FETCH_S, _BUILD_S = 900.0, 7200.0


def build(target: Path, module: str, version: str, package: str, tags: str = "") -> None:
    """Fill `target` with usr/bin/ and the program of a package, such as `cmd/thanos`. Raises ServiceError.

    Built within the module as the checksum database vouches for it, with the `replace` lines of its own go.mod, which
    `go install MODULE@VERSION` refuses."""
    folder = target / "usr" / "bin"
    folder.mkdir(parents=True)
    source = ("-C", _downloaded(f"{module}@{version}"))
    flags = ("-mod=readonly", "-trimpath", "-ldflags=-s -w", f"-tags={tags}", f"-o={folder}/")
    run(("go", "build", *source, *flags, f"./{package}"), _BUILD_S)


def _downloaded(module: str) -> str:
    """Where the module cache has its source."""
    command = ("go", "mod", "download", "-json", module)
    done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_S, check=False)
    if done.returncode:
        raise ServiceError(f"`{' '.join(command)}` failed with {done.returncode}:\n{done.stdout}{done.stderr}")
    return str(json.loads(done.stdout)["Dir"])
