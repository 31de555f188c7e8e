"""The programs that services need: found on PATH, or installed from Debian when that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable

from deploy.services.service import ServiceError, Tool

_APT = ("apt-get", "-y", "-qq", "--no-install-recommends")
_APT_TIMEOUT_S = 900.0


def provide(tools: Iterable[Tool], say: Callable[[str], None]) -> None:
    """Make each tool available. Raises ServiceError with the one command to type when it cannot."""
    missing = [tool for tool in tools if shutil.which(tool.command) is None]
    if not missing:
        return
    packages = " ".join(tool.packages[0] for tool in missing)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        commands = " and ".join(tool.command for tool in missing)
        raise ServiceError(f"{commands} not on PATH: `sudo apt-get install {packages}`, or the like of your system")
    say(f"installing {packages} with apt-get, about a minute")
    run((*_APT, "update"), _APT_TIMEOUT_S)
    for tool in missing:
        _install_first(tool)


def _install_first(tool: Tool) -> None:
    """Package names differ between releases (Debian 12 has Java 17, 13 has 21), so the choices are tried in order."""
    *choices, last = tool.packages
    for package in choices:
        try:
            run((*_APT, "install", package), _APT_TIMEOUT_S)
        except ServiceError:
            continue
        return
    run((*_APT, "install", last), _APT_TIMEOUT_S)


def run(command: tuple[str, ...], timeout_s: float) -> None:
    """Run one command to its end. Raises ServiceError with the end of its output."""
    try:
        done = subprocess.run(
            command,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceError(f"`{' '.join(command)}` did not finish: {error}") from error
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise ServiceError(f"`{' '.join(command)}` failed with {done.returncode}:\n{last}")
