"""Series of nodes and GPUs: what they are, who holds them, what is free, what they cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from models.columns import Array
from models.fleet_metrics import GPU_LABELS, NODE_LABELS, WORKLOAD_LABELS
from models.hardware.discovery import find_gpu
from models.inventory import Gpu
from models.workload import WorkloadName
from recommender.exposition.holdings import Holding
from recommender.exposition.text import Exposition, Labels
from recommender.placement.fragmentation import Fragmentation, NodeStates
from recommender.placement.inventory import NodeRoom, cluster_of
from recommender.placement.request import GPU_MILLI
from recommender.supply import mix_of


def node_series(rooms: Sequence[NodeRoom], limit: int, out: Exposition) -> None:
    """The first `limit` nodes; fragmentation counts what is asked for on all."""
    lost = fragmented_gpus(rooms)[:limit]
    told = rooms[:limit]
    labels = _node_labels(told)
    facts = {"zone": [r.node.zone for r in told], "spot": [_yes(r.node.spot) for r in told]}
    models = [model_name(r.node.gpus[0]) if r.node.gpus else "" for r in told]
    out.one("sizewise_node_info", labels.with_columns(**facts, gpu_model=models))
    values = {
        "cpu_cores": [r.node.cpu_cores for r in told],
        "cpu_free_cores": [r.cpu_milli / 1000 for r in told],
        "memory_bytes": [r.node.memory_bytes for r in told],
        "memory_free_bytes": [r.memory_bytes for r in told],
        "gpus": [len(r.node.gpus) for r in told],
        "gpus_free": [r.gpu_milli.count(GPU_MILLI) for r in told],
        "price_usd_per_hour": [_known(r.node.price_usd_per_hour) for r in told],
    }
    for name, column in values.items():
        out.add(f"sizewise_node_{name}", labels, np.array(column, dtype=np.float64))
    out.add("sizewise_node_gpus_fragmented", labels, lost)
    out.single("sizewise_nodes_not_exported", float(max(len(rooms) - limit, 0)))


def fragmented_gpus(rooms: Sequence[NodeRoom]) -> Array:
    """[n] free GPUs that the next request is expected not to fit; NaN on nodes without GPUs, and while nothing is held."""
    held = Counter(request for room in rooms for request in room.held if request.total_gpu_milli)
    lost = np.full(len(rooms), np.nan)
    if held:
        cluster, every = cluster_of(rooms), np.arange(len(rooms))
        lost = Fragmentation(cluster, mix_of(held)).of(NodeStates.now(cluster, every)) / GPU_MILLI
        lost[[not room.node.gpus for room in rooms]] = np.nan
    return lost


def gpu_series(rooms: Sequence[NodeRoom], held: Sequence[Holding], limit: int, out: Exposition) -> None:
    """The first `limit` GPUs, in the order of the nodes."""
    every = [(room, gpu) for room in rooms for gpu in room.node.gpus]
    told = every[:limit]
    labels = Labels.of(_gpu_columns([(r.node.cluster, r.node.name, g.uuid) for r, g in told]))
    mig = [_yes(g.mig_enabled) for _, g in told]
    out.one("sizewise_gpu_info", labels.with_columns(gpu_model=[model_name(g) for _, g in told], mig=mig))
    out.add("sizewise_gpu_memory_bytes", labels, np.array([g.memory_bytes for _, g in told], dtype=np.float64))
    known = {g.uuid for _, g in told}
    _holders([holding for holding in held if holding.held.gpu.uuid in known], out)
    _slices(told, out)
    out.single("sizewise_gpus_not_exported", float(max(len(every) - limit, 0)))


def _holders(held: Sequence[Holding], out: Exposition) -> None:
    """A workload with two slices of one profile on one GPU is told once."""
    told = list(
        dict.fromkeys((h.node.cluster, h.node.name, h.held.gpu.uuid, h.held.mig_profile, h.workload) for h in held)
    )
    labels = Labels.of(_gpu_columns([(cluster, node, uuid) for cluster, node, uuid, _, _ in told]))
    names = [name_or_text(workload) for *_, workload in told]
    columns = {
        label: [getattr(name, "name" if label == "workload" else label) for name in names]
        for label in WORKLOAD_LABELS[1:]
    }
    out.one("sizewise_gpu_holder_info", labels.with_columns(mig_profile=[p for *_, p, _ in told], **columns))


def _slices(told: Sequence[tuple[NodeRoom, Gpu]], out: Exposition) -> None:
    counts: Counter[tuple[str, str, str, str, str]] = Counter()
    for room, gpu in told:
        free = {instance.uuid for instances in room.mig_free.values() for instance in instances}
        counts.update(
            (room.node.cluster, room.node.name, gpu.uuid, i.profile, _yes(i.uuid not in free)) for i in gpu.mig
        )
    labels = Labels.of(_gpu_columns([key[:3] for key in counts]))
    profiles, states = [key[3] for key in counts], [key[4] for key in counts]
    numbers = np.fromiter(counts.values(), np.float64, len(counts))
    out.add("sizewise_gpu_mig_instances", labels.with_columns(mig_profile=profiles, held=states), numbers)


def name_or_text(workload: str) -> WorkloadName:
    """The parts of an id; of a foreign one its text alone."""
    try:
        return WorkloadName.parse(workload)
    except ValueError:
        return WorkloadName("", "", "", workload)


def model_name(gpu: Gpu) -> str:
    """As the catalogue calls it, else as its source does."""
    known = find_gpu(gpu.model, gpu.pci_device_id)
    return known.name if known else gpu.model


def _node_labels(rooms: Sequence[NodeRoom]) -> Labels:
    columns = ([room.node.cluster for room in rooms], [room.node.name for room in rooms])
    return Labels.of(dict(zip(NODE_LABELS, columns, strict=True)))


def _gpu_columns(keys: Sequence[tuple[str, ...]]) -> Mapping[str, Sequence[str]]:
    return {label: [key[n] for key in keys] for n, label in enumerate(GPU_LABELS)}


def _yes(value: bool | None) -> str:
    return "" if value is None else ("true" if value else "false")


def _known(value: float | None) -> float:
    return np.nan if value is None else value
