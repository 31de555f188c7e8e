"""Which GPU model suits a workload, what GPUs cost on spot and on demand, and when spot pays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.exposition.advice import Advised
from recommender.exposition.nodes import model_name, name_or_text
from recommender.exposition.text import Exposition, Labels
from recommender.exposition.workloads import Told
from recommender.gpu_seen import GpuSeen
from recommender.placement.inventory import NodeRoom
from recommender.placement.job import Checkpointing, Job, NodeFacts
from recommender.placement.request import GPU_MILLI, Request
from recommender.placement.spot import plan_spot
from recommender.placement.suitability import suitability, unsuited

_DAY_S = 86_400.0
_CHECKPOINT = Checkpointing(cost_s=60.0, restart_s=120.0)
_MOST_PER_HOUR = 60.0
"""Interruptions an hour up to which the break-even is looked for: one per checkpoint."""
_HALVINGS = 30
_AS_GOOD = 0.999


@dataclass(frozen=True, slots=True)
class Offer:
    """One GPU model in one cluster, at its cheapest price per GPU; None: no node of it has one."""

    cluster: str
    gpu_model: str
    spot: bool
    usd_per_hour: float | None


def offers(rooms: Sequence[NodeRoom]) -> list[Offer]:
    cheapest: dict[tuple[str, str, bool], float | None] = {}
    for room in rooms:
        if room.node.gpus:
            key = (room.node.cluster, model_name(room.node.gpus[0]), bool(room.node.spot))
            total = room.node.price_usd_per_hour
            prices = [p for p in (cheapest.get(key), total and total / len(room.node.gpus)) if p is not None]
            cheapest[key] = min(prices, default=None)
    return [Offer(*key, price) for key, price in sorted(cheapest.items())]


def price_series(offered: Sequence[Offer], out: Exposition) -> None:
    """Prices, and how many interruptions spot may have before it costs more."""
    priced = [(offer, offer.usd_per_hour) for offer in offered if offer.usd_per_hour is not None]
    columns = {"cluster": [o.cluster for o, _ in priced], "gpu_model": [o.gpu_model for o, _ in priced]}
    spot = ["true" if o.spot else "false" for o, _ in priced]
    prices = np.array([price for _, price in priced], dtype=np.float64)
    out.add("sizewise_gpu_price_usd_per_hour", Labels.of(columns | {"spot": spot}), prices)
    by_kind = {(o.cluster, o.gpu_model, o.spot): price for o, price in priced}
    both = [(c, m) for c, m, is_spot in by_kind if is_spot and (c, m, False) in by_kind]
    rates = [break_even(by_kind[c, m, True], by_kind[c, m, False]) for c, m in both]
    labels = Labels.of({"cluster": [c for c, _ in both], "gpu_model": [m for _, m in both]})
    out.add("sizewise_spot_break_even_interruptions_per_hour", labels, np.array(rates, dtype=np.float64))


def break_even(spot_usd: float, on_demand_usd: float) -> float:
    """Interruptions per hour at which a day's job costs the same on both; 0: spot never pays. The cost rises with them, so
    halving finds it."""
    low, high = 0.0, _MOST_PER_HOUR
    if spot_usd >= on_demand_usd:
        return 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        cheaper = plan_spot(_DAY_S, _CHECKPOINT, middle, spot_usd).cost_usd < on_demand_usd * _DAY_S / 3600
        low, high = (middle, high) if cheaper else (low, middle)
    return low


def suited_series(told: Told, found: Mapping[int, Advised], offered: Sequence[Offer], out: Exposition) -> None:
    """The model of its cluster that suits each GPU workload best, and whether it is on it."""
    by_cluster: dict[str, list[NodeFacts]] = {}
    for offer in offered:
        facts = NodeFacts(gpu_model=offer.gpu_model, gpus=1, price_usd_per_hour=offer.usd_per_hour, spot=offer.spot)
        by_cluster.setdefault(offer.cluster, []).append(facts)
    ids = told.snapshot.names["id"].take(told.places).to_pylist()
    rows = [
        (place, *best)
        for place, one in found.items()
        for best in _best(one.seen, by_cluster.get(name_or_text(ids[place]).cluster, []))
    ]
    labels = told.labels.take(np.array([place for place, _, _ in rows], dtype=np.int64))
    fits = ["true" if fits else "false" for _, _, fits in rows]
    out.one("sizewise_workload_gpu_suited_info", labels.with_columns(suited_model=[m for _, m, _ in rows], fits=fits))


def _best(seen: GpuSeen, facts: Sequence[NodeFacts]) -> Iterator[tuple[str, bool]]:
    """Nothing where no model of the cluster is known. On demand alone: spot is another question. Worths with and without
    a price cannot be compared, so where one has a price those without are left out."""
    job = Job(Request(0, 0, 1, GPU_MILLI), bottleneck=seen.bottleneck, fp64=seen.computes_fp64)
    plain = [f for f in facts if not f.spot and not unsuited(job, f)]
    priced = [f for f in plain if f.price_usd_per_hour is not None]
    worth = {f.gpu_model: suitability(job, f)[0] for f in priced or plain}
    known = {model: value for model, value in worth.items() if value is not None}
    if known:
        best = max(known, key=lambda model: known[model])
        yield best, known.get(seen.model, 0.0) >= _AS_GOOD * known[best]
