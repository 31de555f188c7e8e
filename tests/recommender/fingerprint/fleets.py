"""GPU workloads through the profiler, and models that have learned some of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from models.fingerprint.artifact import dump
from models.fingerprint.features import VERSION
from models.fingerprint.head import head_of
from models.fingerprint.model import Card
from models.fingerprint.train import HEADS, learn
from models.fingerprint.window import Window
from recommender.fingerprint.shelf import Files, Shelf
from recommender.view import Snapshot, join
from stream.columns_codec import encode_columns
from tests.models.fingerprint.workloads import fleet, nothing, window
from tests.profiler.gpu_telemetry import GpuRow, gpu_message
from tests.profiler.telemetry import SECOND, T0, profile
from tests.recommender.view_columns import recommendations

KINDS = ("steady", "waves", "dips")


def trained(folder: Path, version: str, trained_ms: int = 0, kinds: tuple[str, ...] = KINDS) -> None:
    """A model that knows these kinds by their heads, in use."""
    windows, names, groups = fleet(kinds)
    heads = [head for one in windows if (head := head_of(one)) is not None]
    card = Card("fingerprint", version, trained_ms, "made up", "none", "", VERSION)
    artifact = dump(learn(heads, names, groups, card, HEADS).model)
    Shelf(folder).promote(version, Files(artifact.trees, artifact.arrays, artifact.card))


def seen(**runs: Window) -> Snapshot:
    """What a view holds after the profiler has seen these runs, by name of the workload."""
    messages = [gpu_message(_rows(name, run), f"n{k}", 1) for k, (name, run) in enumerate(runs.items())]
    slab = profile(messages).profiles.slab(0)
    return Snapshot({(0, "slab/0"): join(slab, encode_columns(slab), recommendations(list(slab.workloads)))})


def _rows(name: str, run: Window) -> list[GpuRow]:
    signals: Mapping[str, list[float]] = {key: values.tolist() for key, values in run.signals.items()}
    return [
        GpuRow(name, 2 * SECOND * k, {key: values[k] for key, values in signals.items()}, interval_ms=2 * SECOND)
        for k in range(len(run))
    ]


__all__ = ["KINDS", "T0", "nothing", "seen", "trained", "window"]
