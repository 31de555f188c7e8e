"""Fetches Debian's package of Prometheus and unpacks it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from deploy.services.service import ServiceError
from deploy.services.tools import run

_FETCH_S, _UNPACK_S = 300.0, 60.0


def build(target: Path) -> None:
    """Fill `target` with the files of the package: usr/bin/prometheus, usr/bin/promtool, 110 MB."""
    with tempfile.TemporaryDirectory(dir=target) as folder:
        try:
            _download(Path(folder))
        except ServiceError:  # no package lists yet, as in a fresh container
            run(("apt-get", "-qq", "update"), _FETCH_S)
            _download(Path(folder))
        package = next(Path(folder).glob("prometheus_*.deb"))
        run(("dpkg-deb", "-x", str(package), str(target)), _UNPACK_S)


def _download(folder: Path) -> None:
    """apt's own user may not write into a private folder, so it is told to stay root, which its warning is about."""
    sandbox = "APT::Sandbox::User=root"
    run(("sh", "-c", f'cd "$0" && apt-get -qq -o {sandbox} download prometheus', str(folder)), _FETCH_S)
