"""Which workloads are told one by one: those with most at stake, in cores that they waste or lack."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.bottleneck import Bottleneck
from models.columns import Array, empty_arrays
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.view import SUMMARY_FIELDS, Snapshot
from recommender.view_query import CORE_PER_GIB

_GIB = 1 << 30
GPU_IN_CORES = 100.0
"""An hour of a GPU against an hour of a core: an H100 at 2.29 USD (models.hardware.prices) is 105 vCPUs at 0.0218."""
STAY_RATIO = 1.2
"""A workload that is told stays unless others have a fifth more at stake, so that series do not come and go."""


def at_stake(snapshot: Snapshot) -> Array:
    """[n] cores: what all instances would give back or need more, the request that is at risk, and idle GPU time."""
    columns, weigh = snapshot.columns, np.array([1.0, CORE_PER_GIB / _GIB])
    change = np.abs(np.nan_to_num(snapshot.saving)) @ weigh
    risk = np.nan_to_num(columns["overrun_risk_ratio"] * columns["target"]) @ weigh
    return np.asarray(snapshot.weights * (change + risk + GPU_IN_CORES * idle_gpus(snapshot)))


def idle_gpus(snapshot: Snapshot) -> Array:
    """[n] GPUs of one instance times the share of their time in which hardly anything ran."""
    seconds = joined(snapshot, "gpu_class_seconds")
    total = seconds.sum(axis=1)
    share = np.divide(seconds[:, Bottleneck.IDLE], total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(share * joined(snapshot, "gpu_count"))


def exported(snapshot: Snapshot, limit: int, before: pa.Array | None = None) -> Array:
    """Places of at most `limit` workloads, in the order of the snapshot. before: ids told last time.

    A workload that stands in two slabs, as after a change of partitions, is told once: Prometheus refuses a scrape that tells
    a series twice."""
    places = _most(snapshot, limit, before) if len(snapshot) > limit else np.arange(len(snapshot))
    ids = snapshot.names["id"].take(places).combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    return places[np.sort(np.unique(ids, return_index=True)[1])]


def _most(snapshot: Snapshot, limit: int, before: pa.Array | None) -> Array:
    stake = at_stake(snapshot)
    if before is not None:
        told = np.asarray(pc.is_in(snapshot.names["id"], value_set=before).to_numpy(), dtype=bool)
        stake = np.where(told, STAY_RATIO * stake, stake)
    return np.sort(np.argpartition(-stake, limit)[:limit])


def joined(snapshot: Snapshot, column: str) -> Array:
    """A column of all slabs, [n, ...]; most are joined only when somebody asks for them."""
    empty = empty_arrays(tuple(f for f in SUMMARY_FIELDS + RECOMMENDATION_FIELDS if f.name == column), 0)
    return np.concatenate([empty[column], *(slab.columns[column] for slab in snapshot.slabs.values())])
