"""Series of single workloads: what they use, have, and should get, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from models.fleet_metrics import UNITS, WORKLOAD_LABELS
from models.profile import RESOURCE_SIGNALS, RESOURCES
from models.reasons import Action, Reason, codes
from models.signals import CPU_SIGNALS
from recommender.exposition.stake import joined
from recommender.exposition.text import Exposition, Labels
from recommender.view import Snapshot
from recommender.view_query import action_code

SIGNAL = {signal.name: place for place, signal in enumerate(CPU_SIGNALS)}
_SIZES = {
    "request": "request_now",
    "limit": "limit_now",
    "recommended_request": "target",
    "recommended_lower": "lower",
    "recommended_upper": "upper",
    "recommended_limit": "limit_target",
}
_PRESSURE = ("cpu", "memory", "io")


@dataclass(frozen=True, slots=True)
class Told:
    """The workloads that are told one by one: their places in the snapshot, and their labels in that order."""

    snapshot: Snapshot
    places: Array
    labels: Labels

    @classmethod
    def of(cls, snapshot: Snapshot, places: Array) -> Told:
        names = snapshot.names.take(places)
        columns = {label: names["name" if label == "workload" else label] for label in WORKLOAD_LABELS}
        return cls(snapshot, places, Labels.of(columns))

    def __getitem__(self, column: str) -> Array:
        """A column of the snapshot, [k, ...]."""
        kept = self.snapshot.columns
        return np.asarray((kept[column] if column in kept else joined(self.snapshot, column))[self.places])


def sizes(told: Told, out: Exposition) -> None:
    """Usage, request, limit, recommendation and saving, per resource."""
    last, saving = told["signal_last"], told.snapshot.saving[told.places]
    instances = told.snapshot.weights[told.places]
    for resource, name in enumerate(RESOURCES):
        unit = UNITS[name]
        usage = {"last": last[:, SIGNAL[RESOURCE_SIGNALS[resource]]]}
        usage |= {f"p{level}": told[f"usage_p{level}"][:, resource] for level in (50, 95)}
        usage["peak"] = told["usage_peak"][:, resource]
        for statistic, values in usage.items():
            out.add(f"sizewise_workload_{name}_usage_{unit}", told.labels.plus(statistic=statistic), values)
        for metric, column in _SIZES.items():
            out.add(f"sizewise_workload_{name}_{metric}_{unit}", told.labels, told[column][:, resource])
        out.add(f"sizewise_workload_{name}_saving_{unit}", told.labels, saving[:, resource] * instances)


def verdicts(told: Told, out: Exposition) -> None:
    """Action, reasons, risk and confidence. Before the first recommendation there are none."""
    decided = told["computed_ms"] > 0
    for resource, name in enumerate(RESOURCES):
        labels = told.labels.plus(resource=name)
        out.add("sizewise_workload_overrun_risk_ratio", labels, told["overrun_risk_ratio"][:, resource])
        rows = np.flatnonzero(decided)
        actions = [_ACTIONS[code] for code in told["action"][rows, resource].tolist()]
        out.one("sizewise_workload_action_info", labels.take(rows).with_columns(action=actions))
        for reason in Reason:
            rows = np.flatnonzero(decided & ((told["reasons"][:, resource] & np.uint64(int(reason))) != 0))
            out.one("sizewise_workload_reason_info", labels.take(rows).plus(reason=codes(reason)[0]))
    out.add("sizewise_workload_confidence_ratio", told.labels, np.where(decided, told["confidence"], np.nan))


def health(told: Told, out: Exposition) -> None:
    """How many there are, when they were seen, and what hurts them now."""
    last = told["signal_last"]
    seen_ms = np.maximum(told["last_seen_ms"], told["gpu_last_seen_ms"])
    out.add("sizewise_workload_instances", told.labels, told.snapshot.weights[told.places])
    out.add("sizewise_workload_last_seen_timestamp_seconds", told.labels, np.where(seen_ms > 0, seen_ms / 1000, np.nan))
    out.add("sizewise_workload_oom_kills_total", told.labels, told["oom_kills"].astype(np.float64))
    out.add("sizewise_workload_cpu_throttled_ratio", told.labels, last[:, SIGNAL["cpu_throttled_ratio"]])
    for resource in _PRESSURE:
        labels = told.labels.plus(resource=resource)
        out.add("sizewise_workload_pressure_ratio", labels, last[:, SIGNAL[f"{resource}_pressure_ratio"]])


_ACTIONS = {int(action): action_code(int(action)) for action in Action}
