"""Versions of a model in one folder: VERSION.ubj, VERSION.npz and VERSION.json, and `current`, which names the one in use.

Files of a version never change, and `current` is replaced whole: whoever reads, and whenever, finds files that belong
together. To go back, write an older version's name into `current`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_SUFFIXES = (".ubj", ".npz", ".json")
"""Trees, what is known, card."""
_CURRENT = "current"
KEPT = 5
"""Versions: a week's worth of second thoughts at one a day."""


class ShelfError(Exception):
    """A folder of models that cannot be used. The message names the file and the mend."""


class Files(NamedTuple):
    """The bytes of models.fingerprint.artifact.Artifact, which this module does not import: it would bring XGBoost."""

    trees: bytes
    arrays: bytes
    card: bytes


@dataclass(frozen=True, slots=True)
class Shelf:
    folder: Path

    def current(self) -> str | None:
        """Name of the version in use; None where there is none. Raises ShelfError."""
        try:
            name = (self.folder / _CURRENT).read_text().strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ShelfError(
                f"cannot read {self.folder / _CURRENT}: {error}; it names a version in that folder"
            ) from error
        if not name.isascii() or not name.replace("-", "").isalnum():
            raise ShelfError(
                f"{self.folder / _CURRENT} says {name[:80]!r}; it must be the name of a version in that folder"
            )
        return name

    def read(self, version: str) -> Files:
        """Raises ShelfError."""
        try:
            return Files(*((self.folder / f"{version}{suffix}").read_bytes() for suffix in _SUFFIXES))
        except OSError as error:
            raise ShelfError(
                f"cannot read version {version} in {self.folder}: {error.strerror} ({error.filename}); "
                f"write another version's name into {self.folder / _CURRENT}, or train again"
            ) from error

    def promote(self, version: str, files: Files) -> None:
        """Keep a version and use it from now on. Raises ShelfError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for suffix, body in zip(_SUFFIXES, files, strict=True):
                self._write(f"{version}{suffix}", body)
            self._write(_CURRENT, f"{version}\n".encode())
        except OSError as error:
            raise ShelfError(f"cannot write into {self.folder}: {error}; name a folder that can be written") from error
        self._forget(version)

    def versions(self) -> list[str]:
        """Those that are complete, oldest first: names are times in milliseconds."""
        found = [{path.stem for path in self.folder.glob(f"*{suffix}")} for suffix in _SUFFIXES]
        return sorted(set.intersection(*found), key=lambda name: (len(name), name))

    def _forget(self, current: str) -> None:
        for version in self.versions()[:-KEPT]:
            if version != current:
                for suffix in _SUFFIXES:
                    (self.folder / f"{version}{suffix}").unlink(missing_ok=True)

    def _write(self, name: str, body: bytes) -> None:
        fresh = self.folder / f"{name}.new"
        fresh.write_bytes(body)
        fresh.replace(self.folder / name)
