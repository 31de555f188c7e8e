"""Builds VPA's admission controller from the Go module that deploy/vpa/go.mod names."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from deploy.services.tools import run

DEFINITIONS = "vpa-v1-crd-gen.yaml"
"""Custom resource definitions of the same version, beside the program."""

_SOURCE = Path(__file__).parent.parent / "vpa"
_MODULE = "k8s.io/autoscaler/vertical-pod-autoscaler"
_BUILD_S = 1800.0


def build(target: Path) -> None:
    """Fill `target` with usr/bin/admission-controller and the custom resource definitions of the same version."""
    flags = ("-trimpath", "-ldflags=-s -w", f"-o={target / 'usr' / 'bin'}/")
    run(("go", "build", "-C", str(_SOURCE), *flags, f"{_MODULE}/pkg/admission-controller"), _BUILD_S)
    where = ("go", "list", "-C", str(_SOURCE), "-m", "-f", "{{.Dir}}", _MODULE)
    module = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()
    shutil.copy(Path(module) / "deploy" / DEFINITIONS, target / DEFINITIONS)


def recipe() -> tuple[Path, ...]:
    """The files that say what is built."""
    return Path(__file__), _SOURCE / "go.mod", _SOURCE / "go.sum"
