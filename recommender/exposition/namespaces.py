"""Totals per namespace over all workloads, told one by one or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from models.bottleneck import Bottleneck
from models.columns import Array
from models.fleet_metrics import NAMESPACE_LABELS, UNITS
from models.profile import RESOURCES
from recommender.exposition.holdings import Holding
from recommender.exposition.nodes import name_or_text
from recommender.exposition.stake import joined
from recommender.exposition.text import Exposition, Labels
from recommender.view import Snapshot
from recommender.view_query import CORE_PER_GIB

_GIB = 1 << 30
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Namespaces:
    """keys: (cluster, namespace), those with most workloads first. code: number of the namespace of each workload, [n]."""

    keys: Sequence[_Key]
    code: Array

    @classmethod
    def of(cls, snapshot: Snapshot) -> Namespaces:
        cluster, namespace = (snapshot.names[name].combine_chunks() for name in NAMESPACE_LABELS)
        found = pc.binary_join_element_wise(cluster, namespace, "\0").dictionary_encode()
        code = found.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        order = np.argsort(-np.bincount(code, minlength=len(found.dictionary)), kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        keys = [tuple(text.split("\0")) for text in found.dictionary.to_pylist()]
        return cls([(keys[n][0], keys[n][1]) for n in order], rank[code])

    def sum(self, values: Array) -> Array:
        """[k] per namespace; NaN where nothing is known of any of its workloads."""
        known = ~np.isnan(values)
        total = np.bincount(self.code[known], values[known], minlength=len(self.keys))
        return np.where(np.bincount(self.code[known], minlength=len(self.keys)) > 0, total, np.nan)

    def labels(self, limit: int) -> Labels:
        columns = ([key[n] for key in self.keys[:limit]] for n in range(2))
        return Labels.of(dict(zip(NAMESPACE_LABELS, columns, strict=True)))


def namespace_series(
    snapshot: Snapshot,
    spaces: Namespaces,
    held: Sequence[Holding],
    core_price: Mapping[str, float],
    limit: int,
    out: Exposition,
) -> None:
    """core_price: USD per hour of a core, by cluster."""
    labels = spaces.labels(limit)

    def add(name: str, values: Array) -> None:
        out.add(f"sizewise_namespace_{name}", labels, values[:limit])

    add("workloads", spaces.sum(np.ones(len(snapshot))))
    totals = _sizes(snapshot, spaces, add)
    usd = np.array([core_price.get(cluster, np.nan) for cluster, _ in spaces.keys], dtype=np.float64)
    for name, cores in totals.items():
        add(f"{name}_usd_per_hour", usd * cores)
    _gpus(snapshot, spaces, held, add)
    out.single("sizewise_namespaces_not_exported", float(max(len(spaces.keys) - limit, 0)))


def _sizes(snapshot: Snapshot, spaces: Namespaces, add: Callable[[str, Array], None]) -> dict[str, Array]:
    """Returns what is requested and saved, both resources together, in cores."""
    in_cores = {name: np.zeros(len(spaces.keys)) for name in ("requested", "saving")}
    for resource, name in enumerate(RESOURCES):
        saving = snapshot.saving[:, resource] * snapshot.weights
        compared = ~np.isnan(saving)
        requested = np.where(compared, snapshot.columns["request_now"][:, resource] * snapshot.weights, np.nan)
        sums = {"requested": spaces.sum(requested), "saving": spaces.sum(saving)}
        sums["needed"] = sums["requested"] - sums["saving"]
        for what, values in sums.items():
            add(f"{name}_{what}_{UNITS[name]}", values)
        weight = 1.0 if UNITS[name] == "cores" else CORE_PER_GIB / _GIB
        for what, total in in_cores.items():
            total += weight * np.nan_to_num(sums[what])
    return in_cores


def _gpus(snapshot: Snapshot, spaces: Namespaces, held: Sequence[Holding], add: Callable[[str, Array], None]) -> None:
    place = {key: n for n, key in enumerate(spaces.keys)}
    idle = idle_share(snapshot)
    totals = {name: np.full(len(spaces.keys), np.nan) for name in ("gpus_held", "gpus_idle", "gpus_idle_usd_per_hour")}
    for holding in held:
        who = name_or_text(holding.workload)
        n = place.get((who.cluster, who.namespace))
        share = idle.get(holding.workload, np.nan)
        if n is not None:
            _more(totals["gpus_held"], n, holding.share)
            _more(totals["gpus_idle"], n, holding.share * share)
            _more(totals["gpus_idle_usd_per_hour"], n, share * (holding.price_usd_per_hour or np.nan))
    for name, values in totals.items():
        add(name, values)


def _more(totals: Array, place: int, amount: float) -> None:
    """NaN stands for nothing known yet."""
    if not np.isnan(amount):
        totals[place] = amount + np.nan_to_num(totals[place])


def idle_share(snapshot: Snapshot) -> dict[str, float]:
    """By id of each workload with GPU telemetry: the share of its GPU time in which hardly anything ran."""
    rows = np.flatnonzero(snapshot.columns["gpu_last_seen_ms"] > 0)
    seconds = joined(snapshot, "gpu_class_seconds")[rows]
    total = np.where(seconds.sum(axis=1) > 0, seconds.sum(axis=1), np.nan)
    ids = snapshot.names["id"].take(rows).to_pylist()
    return dict(zip(ids, (seconds[:, Bottleneck.IDLE] / total).tolist(), strict=True))
