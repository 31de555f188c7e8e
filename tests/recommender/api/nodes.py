"""Nodes of a small GPU cluster, and an API over them."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from models.inventory import Allocation, Gpu, GpuLink, MigInstance, Node
from models.metrics import NullMeter
from recommender.api.app import create_app
from recommender.api.settings import ApiSettings
from recommender.view import Snapshot, View

GIB = 2**30
A100, H100 = "NVIDIA A100-SXM4-80GB", "NVIDIA H100 80GB HBM3"


def gpu_node(name: str, gpus: int = 8, model: str = A100, busy: int = 0, **kept: Any) -> Node:
    """Whole GPUs `name-0`, `name-1`, ... joined by NVLink, of which the first `busy` are held; 96 cores, 1 TiB."""
    uuids = [f"{name}-{n}" for n in range(gpus)]
    cards = tuple(
        Gpu(uuid, model, 80 * GIB, links=tuple(GpuLink(other, "nvlink") for other in uuids if other != uuid))
        for uuid in uuids
    )
    held = tuple(Allocation(f"w-{uuid}", "i", 4.0, 16 * GIB, (uuid,)) for uuid in uuids[:busy])
    return Node(
        "prod",
        name,
        cpu_cores=96,
        memory_bytes=1024 * GIB,
        gpus=cards,
        allocations=held,
        **({"time_ms": 1, "zone": "z", "taints": ()} | kept),
    )


def cut(uuid: str, *instances: tuple[str, int], model: str = A100) -> Gpu:
    """A GPU with these MIG instances, called `uuid/profile@start`."""
    mig = tuple(MigInstance(f"{uuid}/{profile}@{start}", profile, start) for profile, start in instances)
    return Gpu(uuid, model, 80 * GIB, mig_enabled=True, mig=mig)


def client_over(*nodes: Node) -> TestClient:
    view = View()
    view.snapshot, view.missing = Snapshot({}, {f"{n.cluster}/{n.name}": n for n in nodes}, (), 1000), {}
    app = create_app(view, ApiSettings(), NullMeter(), lambda: 0.0, lambda: (b"", "text/plain"))
    return TestClient(app, base_url="http://localhost:8080")
