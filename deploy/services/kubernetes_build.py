"""Builds a Kubernetes control plane: etcd from Debian, the rest from the Go modules that deploy/cluster/go.mod names.

One `go build` for all three programs: they share four fifths of their packages, and Go keeps every core busy by itself.
"""

from __future__ import annotations

from pathlib import Path

from deploy.services import debian
from deploy.services.tools import run

VERSION = "1.34.4"
"""The `k8s.io/kubernetes` of deploy/cluster/go.mod; without the stamp, clients are told v0.0.0."""

SOURCE = Path(__file__).parent.parent / "cluster"
PROGRAMS = ("kube-apiserver", "kube-scheduler", "kubectl")

_BUILD_S = 3600.0


def build(target: Path) -> None:
    """Fill `target` with usr/bin/: etcd, kube-apiserver, kube-scheduler, kubectl."""
    debian.unpack("etcd-server", target)
    packages = tuple(f"./{program}" for program in PROGRAMS)
    flags = ("-trimpath", f"-ldflags={_stamp()}", f"-o={target / 'usr' / 'bin'}")
    run(("go", "build", "-C", str(SOURCE), *flags, *packages), _BUILD_S)


def recipe() -> tuple[Path, ...]:
    """The files that say what is built."""
    mains = tuple(SOURCE / program / "main.go" for program in PROGRAMS)
    return (Path(__file__), Path(debian.__file__), SOURCE / "go.mod", SOURCE / "go.sum", *mains)


def _stamp() -> str:
    major, minor, _ = VERSION.split(".")
    values = {"gitVersion": f"v{VERSION}", "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items())])
