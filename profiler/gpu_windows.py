"""GPU rows into windows: what one GPU of one instance did in one minute of one message.

A minute, because a flush of a live collector is shorter and one message of imported history spans hours. A message is
never joined with another: a window is the same however polls group messages.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.signals import GPU_SIGNALS
from profiler.bottleneck.boards import Boards
from profiler.rows import Indices, Integers
from stream.telemetry_decoder import Labels, TelemetryFrame

Floats = NDArray[np.float64]
WINDOW_MS = 60_000
_FRAMEBUFFER = next(i for i, signal in enumerate(GPU_SIGNALS) if signal.name == "framebuffer_used_bytes")


@dataclass(frozen=True, slots=True)
class GpuRows:
    """Rows of several messages, [n] each, sorted by message, slot and time; `values` is [S, n].

    instance, gpu: codes that count within a message, so that their order does not depend on the batch; owner: a hash of
    both names; model: place in `models`, NVML names. whole: no MIG slice."""

    message: Indices
    slot: Indices
    time_ms: Integers
    interval_ms: Integers
    values: Floats
    instance: Indices
    gpu: Indices
    owner: NDArray[np.uint32]
    model: Indices
    whole: NDArray[np.bool_]
    models: Sequence[str]

    def __len__(self) -> int:
        return len(self.slot)

    def samples(self) -> int:
        """Values that are there."""
        return int(self.values.size - np.count_nonzero(np.isnan(self.values)))

    def take(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> GpuRows:
        return GpuRows(
            self.message[chosen],
            self.slot[chosen],
            self.time_ms[chosen],
            self.interval_ms[chosen],
            self.values[:, chosen],
            self.instance[chosen],
            self.gpu[chosen],
            self.owner[chosen],
            self.model[chosen],
            self.whole[chosen],
            self.models,
        )


@dataclass(frozen=True, slots=True)
class GpuWindows:
    """Windows, [k] each, sorted by message, slot and day; `mean` is [S, k] with NaN where no row has a value, `spread`
    the standard deviation of the same. seconds [S, k]: how long each signal was seen."""

    message: Indices
    slot: Indices
    day: Integers
    time_ms: Integers
    interval_ms: Integers
    mean: Floats
    spread: Floats
    seconds: Floats
    framebuffer_peak: Floats
    instance: Indices
    gpu: Indices
    model: Indices
    boards: Boards


def gather(frames: Sequence[tuple[int, Indices, TelemetryFrame]]) -> GpuRows:
    """One table of GPU frames: (message number, slot of each workload code, frame), in the order of the log."""
    models, model = _join([frame.keys["gpu_model"] for _, _, frame in frames])
    rows = GpuRows(
        np.repeat([number for number, _, _ in frames], [len(frame) for _, _, frame in frames]),
        np.concatenate([slots[frame.workload.codes] for _, slots, frame in frames]),
        np.concatenate([frame.time_ms for _, _, frame in frames]),
        np.concatenate([frame.interval_ms for _, _, frame in frames]),
        np.concatenate([frame.values.T for _, _, frame in frames], axis=1),
        np.concatenate([frame.instance.codes for _, _, frame in frames]),
        np.concatenate([frame.keys["gpu_uuid"].codes for _, _, frame in frames]),
        np.concatenate([owners_of(frame) for _, _, frame in frames]),
        model,
        np.concatenate([_whole(frame.keys["mig_profile"]) for _, _, frame in frames]),
        models,
    )
    return rows.take(np.lexsort((rows.time_ms, rows.slot, rows.message)))


def _join(columns: Sequence[Labels]) -> tuple[list[str], Indices]:
    """Names over all columns, and the code of each row among them."""
    place: dict[str, int] = {}
    codes = [np.array([place.setdefault(name, len(place)) for name in column.names]) for column in columns]
    return list(place), np.concatenate([code[column.codes] for code, column in zip(codes, columns, strict=True)])


def owners_of(frame: TelemetryFrame) -> NDArray[np.uint32]:
    """Of each row, a hash of instance and GPU, the same in every message."""
    instance, gpu = (
        np.array([zlib.crc32(name.encode()) for name in labels.names], dtype=np.uint32)[labels.codes]
        for labels in (frame.instance, frame.keys["gpu_uuid"])
    )
    return instance * np.uint32(31) + gpu


def _whole(mig_profile: Labels) -> NDArray[np.bool_]:
    whole: NDArray[np.bool_] = np.array([not name for name in mig_profile.names])[mig_profile.codes]
    return whole


def windows(rows: GpuRows) -> GpuWindows:
    """Windows of sorted rows (at least one)."""
    minute = rows.time_ms // WINDOW_MS
    rows = rows.take(np.lexsort((rows.time_ms, rows.gpu, rows.instance, minute, rows.slot, rows.message)))
    start = _starts(rows)
    seconds = np.where(np.isnan(rows.values), 0.0, rows.interval_ms / 1000.0)
    total = np.add.reduceat(seconds, start, axis=1)
    mean = _mean(rows.values, seconds, total, start)
    deviation = np.repeat(mean, np.diff(np.append(start, len(rows))), axis=1) - rows.values
    newest = np.maximum.reduceat(rows.time_ms, start)
    return GpuWindows(
        rows.message[start],
        rows.slot[start],
        newest // 86_400_000,
        newest,
        np.add.reduceat(rows.interval_ms, start),
        mean,
        np.sqrt(_mean(deviation * deviation, seconds, total, start)),
        total,
        np.fmax.reduceat(rows.values[_FRAMEBUFFER], start),
        rows.instance[start],
        rows.gpu[start],
        rows.model[start],
        Boards.of(rows.models, rows.model[start], rows.whole[start]),
    )


def _starts(rows: GpuRows) -> Indices:
    changes = np.zeros(len(rows), dtype=np.bool_)
    changes[0] = True
    minute = rows.time_ms // WINDOW_MS
    for column in (rows.message, rows.slot, minute, rows.instance, rows.gpu):
        changes[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changes)


def _mean(values: Floats, seconds: Floats, total: Floats, start: Indices) -> Floats:
    """Means weighted by time, [S, k]; NaN where nothing was seen."""
    summed = np.add.reduceat(np.where(seconds > 0, values, 0.0) * seconds, start, axis=1)
    return np.divide(summed, total, out=np.full_like(summed, np.nan), where=total > 0)
