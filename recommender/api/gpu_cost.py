"""What an hour of a workload's GPUs costs, what of that is idle, and what a slice would leave to others."""

from __future__ import annotations

import numpy as np

from models.bottleneck import Bottleneck
from models.hardware.discovery import find_gpu
from models.hardware.geometry import MigGpu
from recommender.api.render import Body
from recommender.gpu_price import GpuPrice, list_price, price_on
from recommender.gpu_seen import GpuHeld, GpuSeen
from recommender.mig.choose import SliceAdvice
from recommender.view import Row, Snapshot


def gpu_cost(
    snapshot: Snapshot, row: Row, seen: GpuSeen, held: GpuHeld | None, advice: SliceAdvice, mig: MigGpu | None
) -> Body | None:
    """The body of a CostAnswer. None where no price is known, and on a part of a GPU, whose part of a price nobody tells."""
    part = seen.sliced or (held is not None and (held.shared or bool(held.mig_profile)))
    price = None if part else _price(snapshot, row, seen)
    if price is None:
        return None
    seconds = np.asarray(row["gpu_class_seconds"], dtype=np.float64)
    idle = float(seconds[Bottleneck.IDLE] / seconds.sum()) if seconds.sum() else None
    freed = 1 - mig.compute_share(advice.profile) if mig and advice.profile and advice.action == "slice" else None
    return {
        "usd_per_hour": _cents(price.usd_per_hour * seen.gpus),
        "idle_usd_per_hour": None if idle is None else _cents(price.usd_per_hour * seen.gpus * idle),
        "slice_saving_usd_per_hour": None if freed is None else _cents(price.usd_per_hour * freed),
        "gpu_usd_per_hour": _cents(price.usd_per_hour),
        "source": price.source,
        "read_on": price.read_on or None,
        "indicative": bool(price.read_on),
    }


def _price(snapshot: Snapshot, row: Row, seen: GpuSeen) -> GpuPrice | None:
    """Of the GPU that it holds, else of the model that it was seen on last."""
    for node in snapshot.gpu_nodes.get(row.id, {}).values():
        mine = {uuid for a in node.allocations if a.workload == row.id for uuid in a.gpu_uuids}
        for gpu in node.gpus:
            if gpu.uuid in mine:
                return price_on(node, gpu)
    return list_price(find_gpu(seen.model))


def _cents(usd: float) -> float:
    return round(usd, 4)
