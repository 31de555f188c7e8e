"""Who holds which GPU now, by the allocations of the inventory: one pass over all nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from models.hardware.discovery import InvalidProfileError, mig_of
from models.hardware.geometry import UnknownProfileError
from models.inventory import Gpu, Node
from recommender.gpu_price import price_on
from recommender.gpu_seen import GpuHeld


@dataclass(frozen=True, slots=True)
class Holding:
    """One workload on one GPU or slice. share: of the GPU's compute. price_usd_per_hour: of that share; None: not known."""

    workload: str
    node: Node
    held: GpuHeld
    share: float
    price_usd_per_hour: float | None


def holdings(nodes: Mapping[str, Node]) -> list[Holding]:
    """Each workload once per GPU or slice, however many of its instances name it."""
    return [holding for node in nodes.values() if node.gpus for holding in _on(node)]


def share_of(gpu: Gpu, mig_profile: str) -> float:
    """Share of the GPU's compute that a slice is; the whole GPU, and a slice that nobody knows, count as 1."""
    try:
        mig = mig_of(gpu.model, gpu.pci_device_id, gpu.mig_profiles) if mig_profile else None
        return mig.compute_share(mig.profile(mig_profile)) if mig else 1.0
    except (UnknownProfileError, InvalidProfileError):
        return 1.0


def _on(node: Node) -> Iterator[Holding]:
    holders: dict[str, list[str]] = {}
    for allocation in node.allocations:
        for uuid in allocation.gpu_uuids:
            mine = holders.setdefault(uuid, [])
            if allocation.workload not in mine:
                mine.append(allocation.workload)
    for gpu in node.gpus:
        price = price_on(node, gpu)
        for uuid, profile in ((gpu.uuid, ""), *((slice_.uuid, slice_.profile) for slice_ in gpu.mig)):
            mine = holders.get(uuid, [])
            share = share_of(gpu, profile) / max(len(mine), 1)
            cost = None if price is None else price.usd_per_hour * share
            yield from (Holding(who, node, GpuHeld(gpu, profile, len(mine) > 1), share, cost) for who in mine)
