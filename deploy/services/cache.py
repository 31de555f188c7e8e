"""Where built services live. One folder per name and version, outside the checkout, complete or absent."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.services.service import Service, ServiceError

_STAMP = ".built"


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of built services, shared by every checkout and run of one user."""

    root: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Cache:
        """`SIZEWISE_SERVICES`, else `sizewise-services` in the user's cache folder."""
        if chosen := environment.get("SIZEWISE_SERVICES"):
            return cls(Path(chosen).expanduser().resolve())
        base = environment.get("XDG_CACHE_HOME") or "~/.cache"
        return cls(Path(base).expanduser() / "sizewise-services")

    def home(self, service: Service) -> Path:
        return self.root / f"{service.name}-{service.version}"

    def has(self, service: Service) -> bool:
        """Whether it is built, whole, by the recipe as it is now."""
        try:
            return (self.home(service) / _STAMP).read_text() == _digest(service)
        except OSError:
            return False

    def require(self, service: Service) -> Path:
        """The folder of a built service. Raises ServiceError with the command that builds it."""
        if not self.has(service):
            raise ServiceError(f"{service} is not built: run `{service.how_to_build}`")
        return self.home(service)

    def build(self, service: Service, say: Callable[[str], None]) -> bool:
        """Build what is missing. Returns whether anything was built. Builds of one service wait for each other."""
        if self.has(service):
            return False
        self.root.mkdir(parents=True, exist_ok=True)
        with _locked(self.root / f".{service.name}.lock", lambda: say("another build of it is running: waiting")):
            if self.has(service):
                return False
            self._build_in_place(service)
        return True

    def _build_in_place(self, service: Service) -> None:
        """A kill at any point leaves either no folder or a whole one: the stamp is written before the rename."""
        staging = Path(tempfile.mkdtemp(prefix=f".{service.name}-", dir=self.root))
        try:
            service.build(staging)
            (staging / _STAMP).write_text(_digest(service))
            staging.chmod(0o755)
            if (home := self.home(service)).exists():
                shutil.rmtree(home)
            staging.rename(home)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _digest(service: Service) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in service.recipe)).hexdigest()


@contextmanager
def _locked(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
