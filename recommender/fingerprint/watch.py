"""Takes up new versions of the model, and tells how old it is and whether what runs now is still like what it learned."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.columns import Columns
from models.fingerprint.head import HEAD_FIELDS
from models.fingerprint.window import Window
from models.metrics import Meter
from models.profile import PROFILE_FIELDS
from recommender.fingerprint.recogniser import InUse, Recogniser, head_window
from recommender.view import Slab, Snapshot, View
from stream.columns_codec import decode_columns

if TYPE_CHECKING:
    from models.fingerprint.model import Fingerprint

MODEL = "fingerprint"
_READ = frozenset({field.name for field in HEAD_FIELDS} | {"gpu_model", "gpu_sliced"})
_MOST_WINDOWS = 256
"""Half a second of processor time; more tell no more."""
_LEAST_WINDOWS = 100
"""The index of the same population scatters around 4 / n for five bins: 0.04 at 100, far below the line of 0.25."""


@dataclass(frozen=True, slots=True)
class Watch:
    """`now`: seconds since 1970."""

    view: View
    recogniser: Recogniser
    interval_s: float
    meter: Meter
    now: Callable[[], float]

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.look()
            stop.wait(self.interval_s)

    def look(self) -> None:
        """Once. Gauges are set only when there is a model, and those of drift only when enough ran since it was trained."""
        self.recogniser.refresh()
        used = self.recogniser.in_use
        if used is None:
            return
        self.meter.gauge("sizewise_model_age_seconds", self.now() - used.model.card.trained_ms / 1000, model=MODEL)
        windows = list(_windows_since(self.view.snapshot, used.model.card.trained_ms))
        if len(windows) >= _LEAST_WINDOWS:
            self._tell(used, used.identify(windows))

    def _tell(self, used: InUse, found: list[Fingerprint]) -> None:
        alike = np.array([one.similarity for one in found])
        alike = alike[~np.isnan(alike)]  # nothing was visible, or nothing to be said
        if len(alike) >= _LEAST_WINDOWS:
            novelty = used.model.novelty
            self.meter.gauge("sizewise_model_drift_index", novelty.drift(alike), model=MODEL)
            self.meter.gauge("sizewise_model_unknown_ratio", float(np.mean(alike < novelty.single)), model=MODEL)


def _windows_since(snapshot: Snapshot, trained_ms: int) -> Iterator[Window]:
    """Heads of runs that the model cannot have learned, at most 256, from as few slabs as have them."""
    left = _MOST_WINDOWS
    for slab in snapshot.slabs.values():
        if left and (slab.columns["gpu_last_seen_ms"] > trained_ms).any():
            for window in _new_heads(slab, trained_ms)[:left]:
                left -= 1
                yield window


def _new_heads(slab: Slab, trained_ms: int) -> list[Window]:
    if slab.packed_profile is None:
        return []
    profiles: Columns = decode_columns(slab.packed_profile, PROFILE_FIELDS, _READ)
    new = np.flatnonzero(profiles["gpu_head_start_ms"] > trained_ms)
    return [window for row in new.tolist() if (window := head_window(profiles, row)) is not None]
