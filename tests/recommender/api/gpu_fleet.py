"""Workloads on H100 as the profiler sees them, and an API over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from starlette.testclient import TestClient

from models.inventory import Node
from models.metrics import NullMeter
from profiler import summary
from recommender.api.app import create_app
from recommender.api.settings import ApiSettings
from recommender.view import Snapshot, View, join
from stream.columns_codec import encode_columns
from tests.profiler.gpu_telemetry import GpuRow, gpu_message
from tests.profiler.telemetry import SECOND, Row, message, profile
from tests.recommender.api.nodes import GIB
from tests.recommender.view_columns import recommendations

H100 = "NVIDIA H100 80GB HBM3"
SMALL = {
    "gpu_utilization_ratio": 0.2,
    "memory_copy_utilization_ratio": 0.05,
    "power_watts": 130.0,
    "power_limit_watts": 700.0,
    "framebuffer_used_bytes": 8.0 * GIB,
    "framebuffer_total_bytes": 80.0 * GIB,
}
HUNGRY = SMALL | {"gpu_utilization_ratio": 1.0, "memory_copy_utilization_ratio": 0.7, "power_watts": 690.0}
FP64 = HUNGRY | {"fp64_active_ratio": 0.4, "dram_active_ratio": 0.3, "sm_active_ratio": 0.9}
RESERVED = SMALL | {"framebuffer_used_bytes": 72.0 * GIB}
BLIND = {"framebuffer_used_bytes": 8.0 * GIB, "framebuffer_total_bytes": 80.0 * GIB}
SEEN = {
    "small": SMALL,
    "hungry": HUNGRY,
    "fp64": FP64,
    "reserved": RESERVED,
    "blind": BLIND,
    "many": SMALL,
    "cut": BLIND,
}


def gpu_fleet() -> Snapshot:
    """What the profiler makes of two minutes of each on an H100: `many` has two GPUs, `cut` a MIG slice, `web` none."""
    rows = [
        GpuRow(name, s * SECOND, signals, f"{name}-{g}", slice="1g.10gb" if name == "cut" else "")
        for s in range(120)
        for name, signals in SEEN.items()
        for g in range(2 if name == "many" else 1)
    ]
    profiles = profile([gpu_message(rows, "n", 1), message([Row("web", 0, 0.5, 1e9)], "n", 2)]).profiles
    summary.write(profiles, slice(0, len(profiles.names)))
    slab = profiles.slab(0)
    return Snapshot({(0, "slab/0"): join(slab, encode_columns(slab), recommendations(list(slab.workloads)))})


def client_over(known: Snapshot, nodes: Mapping[str, Node], settings: ApiSettings | None = None) -> TestClient:
    view = View()
    view.snapshot, view.missing = replace(known, nodes=nodes), {}
    app = create_app(view, settings or ApiSettings(), NullMeter(), lambda: 0.0, lambda: (b"", "text/plain"))
    return TestClient(app, base_url="http://localhost:8080")
