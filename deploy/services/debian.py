"""Debian packages, fetched and unpacked and not installed: no user, no service, no other packages."""

from __future__ import annotations

import tempfile
from pathlib import Path

from deploy.services.service import ServiceError, Tool
from deploy.services.tools import run

TOOLS = (Tool("dpkg-deb", ("dpkg",)), Tool("apt-get", ("apt",)))
"""What `unpack` calls."""

_FETCH_S, _UNPACK_S = 300.0, 60.0


def unpack(package: str, target: Path) -> None:
    """Put the files of a package under `target`, as usr/bin/... Raises ServiceError."""
    with tempfile.TemporaryDirectory(dir=target) as folder:
        try:
            _download(package, Path(folder))
        except ServiceError:  # no package lists yet, as in a fresh container
            run(("apt-get", "-qq", "update"), _FETCH_S)
            _download(package, Path(folder))
        archive = next(Path(folder).glob(f"{package}_*.deb"))
        run(("dpkg-deb", "-x", str(archive), str(target)), _UNPACK_S)


def _download(package: str, folder: Path) -> None:
    """apt's own user may not write into a private folder, so it is told to stay root, which its warning is about."""
    command = f'cd "$0" && apt-get -qq -o APT::Sandbox::User=root download {package}'
    run(("sh", "-c", command, str(folder)), _FETCH_S)
