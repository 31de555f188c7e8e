"""What an hour of one GPU costs: what its node says, else what somebody asks for its model, which is indicative."""

from __future__ import annotations

from dataclasses import dataclass

from models.hardware.discovery import find_gpu
from models.hardware.gpus import GpuModel
from models.inventory import Gpu, Node

_OWN = "its part of the price of its node"


@dataclass(frozen=True, slots=True)
class GpuPrice:
    """source: who says so. read_on: the day a list price was read (ISO 8601); empty: it is the node's own."""

    usd_per_hour: float
    source: str
    read_on: str = ""


def price_on(node: Node, gpu: Gpu) -> GpuPrice | None:
    """Of a GPU of this node. None: neither the node says a price nor does a catalogue list the model."""
    if node.price_usd_per_hour is not None:
        return GpuPrice(node.price_usd_per_hour / len(node.gpus), _OWN)
    return list_price(find_gpu(gpu.model, gpu.pci_device_id))


def list_price(model: GpuModel | None) -> GpuPrice | None:
    listed = model.indicative_price if model else None
    return GpuPrice(listed.usd_per_hour, listed.source, listed.read_on) if listed else None
