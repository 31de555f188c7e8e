"""A log with recommendations for a made-up fleet, as the webhook reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from models.columns import Columns, empty_arrays
from models.reasons import Action, Reason
from models.recommendation import RECOMMENDATION_FIELDS
from stream import schemas
from stream.columns_codec import encode_columns
from stream.contract import EventLog, Message
from stream.open import open_log
from stream.settings import LogSettings
from stream.streams import RECOMMENDATIONS, stream_specs

SLAB = 256
_NOW_MS = 1_760_000_000_000
_GIB = float(1 << 30)


def write_log(file: Path, workloads: int) -> LogSettings:
    """A SQLite log that holds them, spread over its partitions by slab."""
    settings = LogSettings(location=f"sqlite:{file}")
    log = open_log(settings)
    try:
        log.ensure(stream_specs(settings.partitions_made))
        append(log, slab_messages(workloads, settings.partitions_made))
    finally:
        log.close()
    return settings


def append(log: EventLog, messages: Iterator[Message]) -> None:
    writer = log.writer()
    try:
        writer.append(RECOMMENDATIONS, list(messages))
        writer.flush(60)
    finally:
        writer.close()


def slab_messages(workloads: int, partitions: int, later_ms: int = 0) -> Iterator[Message]:
    """Deployments app-0, app-1, ... of namespaces of 100, each with one container; a third are to be lowered, a third to
    be raised, a third fit. `later_ms`: how much newer they are than the first."""
    random = np.random.default_rng(1)
    for number, first in enumerate(range(0, workloads, SLAB)):
        columns = _slab(first, min(SLAB, workloads - first), later_ms, random)
        headers = {schemas.SCHEMA: schemas.RECOMMENDATION}
        key, partition = f"slab/{number // partitions}", number % partitions
        yield Message(key, encode_columns(columns), headers, _NOW_MS + later_ms, partition)


def workload_id(number: int) -> str:
    return f"bench/ns-{number // 100}/Deployment/app-{number}/main"


def _slab(first: int, n: int, later_ms: int, random: np.random.Generator) -> Columns:
    arrays = empty_arrays(RECOMMENDATION_FIELDS, n)
    fit = np.array([0.25, 1.0, 3.0])[np.arange(first, first + n) % 3]
    target = np.stack([fit, fit * _GIB], axis=1)
    arrays["computed_ms"][:] = _NOW_MS + later_ms
    arrays["confidence"][:] = 1.0
    arrays["action"][:] = Action.LOWER
    arrays["reasons"][:] = Reason.PERCENTILE | Reason.MARGIN
    arrays["target"][:], arrays["lower"][:], arrays["upper"][:] = target, 0.8 * target, 1.2 * target
    for name in ("usage_p50", "usage_p95", "usage_peak", "estimate", "request_now", "limit_now", "limit_target"):
        arrays[name][:] = target * random.uniform(0.3, 0.9, (n, 1))  # filled, so that a slab is as large as in life
    return Columns(RECOMMENDATION_FIELDS, [workload_id(i) for i in range(first, first + n)], arrays)
