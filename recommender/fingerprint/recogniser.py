"""The fingerprint model in use, and what it says of profiles."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from models.columns import Columns
from models.fingerprint.boards import board_of
from models.fingerprint.head import window_of
from models.fingerprint.window import Window
from models.hardware.discovery import name_of
from recommender.fingerprint.shelf import Shelf, ShelfError

if TYPE_CHECKING:
    from models.fingerprint.model import Fingerprint, Fingerprinter

_log = logging.getLogger(__name__)

NO_MODEL = "no fingerprint model was trained yet: sizewise train fingerprint"
NO_SETTING = "no folder of fingerprint models is set: api.fingerprint.model names it"
NO_START = "the start of a run on a GPU was not seen yet"


@dataclass(frozen=True, slots=True)
class InUse:
    version: str
    model: Fingerprinter
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def identify(self, windows: Sequence[Window]) -> list[Fingerprint]:
        """One answer per window, 2 ms each. One caller at a time: XGBoost's predictor keeps a cache."""
        with self._lock:
            return self.model.identify(windows)


class Recogniser:
    """One thread calls `refresh`; any thread reads `in_use`. A broken version is logged once and the one before goes on."""

    def __init__(self, folder: str) -> None:
        self._shelf = Shelf(Path(folder).expanduser()) if folder else None
        self._refused = ""
        self.in_use: InUse | None = None
        self.why_not = NO_MODEL if folder else NO_SETTING
        """Why there is no model, while there is none."""

    def refresh(self) -> None:
        """Take up the version that the folder names as current."""
        if self._shelf is None:
            return
        try:
            version = self._shelf.current()
            if version is None or version == self._refused or (self.in_use and version == self.in_use.version):
                return
            self._refused = version
            self.in_use = InUse(version, _loaded(self._shelf, version))
            self._refused = ""
            _log.info("fingerprint model %s is in use", version)
        except (ShelfError, ValueError) as error:  # ArtifactError is a ValueError
            self.why_not = str(error)
            _log.warning("fingerprint model not taken up: %s", error)


def head_window(profile: Columns, row: int = 0) -> Window | None:
    """The head of a profile's newest run on a GPU; None where none was seen."""
    board = board_of(name_of(int(profile["gpu_model"][row])), sliced=bool(profile["gpu_sliced"][row]))
    return window_of(profile.arrays, row, board)


def _loaded(shelf: Shelf, version: str) -> Fingerprinter:
    try:
        from models.fingerprint.artifact import Artifact, load  # XGBoost takes 0.5 s and 60 MB
    except ModuleNotFoundError as error:
        raise ShelfError(f"{error.name} is not installed: pip install 'sizewise[learn]'") from error
    return load(Artifact(*shelf.read(version)))
