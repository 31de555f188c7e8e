"""All that a profile says of one workload, as the body of a WorkloadDetail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from models.columns import Columns
from models.events import WorkloadEvent
from models.histogram import from_log_code
from models.inventory import Node
from models.profile import CPU, HOURS_PER_WEEK, MEMORY, PEAK_DAYS
from models.signals import CPU_SIGNALS
from recommender.api.bottleneck import cpu_side, framebuffer_days, gpu_signals, has_gpu
from recommender.api.render import Body, name_of, nodes_of, number, time_text, workload
from recommender.view import Row, Snapshot
from recommender.view_follow import profile_of


def detail(snapshot: Snapshot, row: Row) -> Body:
    """`profile_of` unpacks one slab: 1-2 ms, no call to anything."""
    profile = profile_of(row)
    nodes = nodes_of(snapshot, row.id)
    told = [snapshot.nodes[key] for key in nodes] or _nodes_of_cluster(snapshot, row.id)
    body = workload(snapshot, row)
    side = cpu_side(row)
    if side is None:
        body["missing"]["cpu_side"] = "no CPU or memory telemetry of it was read yet"
    return body | {
        "nodes": nodes,
        "cpu_side": side,
        "signals": _signals(row, told),
        "gpu_signals": gpu_signals(profile, lambda name: _why_missing(name, told)) if profile and has_gpu(row) else [],
        "framebuffer_days": framebuffer_days(profile) if profile and has_gpu(row) else [],
        "days": _days(profile) if profile else [],
        "hours_of_week": _hours(profile) if profile else [],
        "events": [_event(event) for event in snapshot.events_of(row.id)],
    }


def _nodes_of_cluster(snapshot: Snapshot, workload_id: str) -> list[Node]:
    """Where it must have run, when no node says that it holds it."""
    cluster = name_of(workload_id).cluster
    return [node for node in snapshot.nodes.values() if node.cluster == cluster]


def _signals(row: Row, nodes: list[Node]) -> list[Body]:
    return [
        {
            "name": signal.name,
            "unit": signal.unit,
            "help": signal.help,
            "values_seen": int(row["signal_count"][i]),
            "mean": number(row["signal_mean"][i]),
            "peak": number(row["signal_peak"][i]),
            "last": number(row["signal_last"][i]),
            "missing": None if row["signal_count"][i] else _why_missing(signal.name, nodes),
        }
        for i, signal in enumerate(CPU_SIGNALS)
    ]


def _why_missing(signal: str, nodes: list[Node]) -> str:
    """What these nodes say of the signal, or that nobody said anything."""
    said = {c.reason for node in nodes for c in node.coverage if c.signal == signal and not c.seen and c.reason}
    return "; ".join(sorted(said)) or "no source gave a value for this workload"


def _days(profile: Columns) -> list[Body]:
    newest = int(profile["newest_day"][0])
    days: list[Body] = []
    for day in range(newest - PEAK_DAYS + 1, newest + 1):
        peak, p95 = (profile[name][0, :, day % PEAK_DAYS] for name in ("daily_peak", "daily_p95"))
        if day >= 0 and not np.isnan(peak).all():
            days.append(
                {
                    "day": (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat(),
                    "cpu_peak_cores": number(peak[CPU]),
                    "cpu_p95_cores": number(p95[CPU]),
                    "memory_peak_bytes": number(peak[MEMORY]),
                    "memory_p95_bytes": number(p95[MEMORY]),
                }
            )
    return days


def _hours(profile: Columns) -> list[Body]:
    mean, peak = (from_log_code(profile[name][0]) for name in ("hour_mean", "hour_peak"))
    return [
        {
            "hour_of_week": hour,
            "cpu_mean_cores": number(mean[CPU, hour]),
            "cpu_peak_cores": number(peak[CPU, hour]),
            "memory_mean_bytes": number(mean[MEMORY, hour]),
            "memory_peak_bytes": number(peak[MEMORY, hour]),
        }
        for hour in range(HOURS_PER_WEEK)
        if not (np.isnan(mean[:, hour]).all() and np.isnan(peak[:, hour]).all())
    ]


def _event(event: WorkloadEvent) -> Body:
    return {
        "kind": event.kind,
        "time": time_text(event.time_ms),
        "instance": event.instance,
        "node": event.node,
        "details": event.details,
    }
