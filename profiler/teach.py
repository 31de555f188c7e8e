"""Windows of the log's telemetry that have profiling counters: what a model without them is taught from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from models.bottleneck import SURE, Bottleneck, Method
from models.bottleneck_model.features import FEATURES
from models.bottleneck_model.windows import Windows
from profiler.gpu_windows import gather, windows
from profiler.judge import judge, nvml_features
from profiler.profiles import Indices
from stream import schemas
from stream.contract import EventLog, Record
from stream.dead_letters import BadMessageError
from stream.read_all import read_all
from stream.streams import TELEMETRY
from stream.telemetry_decoder import TelemetryFrame, decode_telemetry

MAX_WINDOWS = 500_000
"""20 MB of features; more teach nothing new and take minutes to fit."""


def windows_with_counters(log: EventLog, now_ms: int) -> Windows:
    """Features, class and workload of every window whose class the counters tell for sure."""
    parts = [_of_message(frame) for frame in _frames(log, now_ms)]
    parts = [part for part in parts if len(part)]
    if not parts:
        return Windows(np.empty((0, len(FEATURES)), np.float32), np.empty(0, np.uint8), np.empty(0, np.str_))
    joined = Windows(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.classes for part in parts]),
        np.concatenate([part.workloads for part in parts]),
    )
    return joined.take(np.arange(0, len(joined), -(-len(joined) // MAX_WINDOWS)))


def _frames(log: EventLog, now_ms: int) -> Iterator[TelemetryFrame]:
    for partition in range(log.partitions(TELEMETRY)):
        for record in read_all(log, TELEMETRY, partition):
            if frame := _frame(record, now_ms):
                yield frame


def _frame(record: Record, now_ms: int) -> TelemetryFrame | None:
    """GPU rows of a message; None for others and for what cannot be read, which the profiler has reported."""
    if record.headers.get(schemas.SCHEMA) != schemas.TELEMETRY["gpu"]:
        return None
    try:
        frame = decode_telemetry(record, record.time_ms or now_ms)
    except BadMessageError:
        return None
    return frame if len(frame) else None


def _of_message(frame: TelemetryFrame) -> Windows:
    names: Sequence[str] = frame.workload.names
    slots: Indices = np.arange(len(names))
    found = windows(gather([(0, slots, frame)]))
    verdicts = judge(found)
    teaches = (
        (verdicts.method == Method.COUNTERS)
        & (verdicts.confidence >= SURE)
        & (verdicts.bottleneck != Bottleneck.INSUFFICIENT)
    )
    features = nvml_features(found)[teaches]
    return Windows(features, verdicts.bottleneck[teaches], np.array(names, dtype=np.str_)[found.slot[teaches]])
