"""What a service is: a name, a version, how it is built and how it is started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol


class ServiceError(Exception):
    """A service could not be built or started. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that a service needs, and the Debian packages that bring it, first choice first."""

    command: str
    packages: tuple[str, ...]


class Running(Protocol):
    """A started service."""

    def hint(self) -> Sequence[str]:
        """Lines for a person: where it listens and what to type next."""

    def wait(self) -> int:
        """Block until the process ends; its exit status."""

    def close(self) -> None:
        """End it, and remove its data. May be called again."""


@dataclass(frozen=True, slots=True)
class Service:
    """One real service. `build` fills an empty folder; `start` gets that folder and the port asked for, or None."""

    name: str
    version: str
    about: str
    cost: str
    """What building takes, measured on 2 cores: time and size."""
    tools: tuple[Tool, ...]
    recipe: tuple[Path, ...]
    """The files that say what is built. When one changes, the service is built again."""
    build: Callable[[Path], None]
    start: Callable[[Path, int | None], Running] | None = None
    """None for a program that is called and does not serve, or that serves only beside another."""
    used_by: Literal["tests", "long tests", "benches"] = "tests"
    """`make services` builds those of the tests. Tests whose services take minutes are left out until those are built by
    name; a bench builds its own when it is run."""

    @property
    def how_to_build(self) -> str:
        """The command to type."""
        return "make services" if self.used_by == "tests" else f"python -m deploy.services build {self.name}"

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
