"""History of GPUs, whatever the exporter called things."""

from __future__ import annotations

import pytest

from models.inventory import Gpu
from stream.contract import EventLog
from tests.collector.prometheus.conftest import Importer, Serve
from tests.collector.prometheus.rows import nodes_in, rows_in
from tests.collector.prometheus.world import World, minutes

LABELS = {
    "UUID": "GPU-aa", "modelName": "NVIDIA A10", "Hostname": "node-1", "instance": "10.0.0.1:9400",
    "exported_namespace": "ml", "exported_pod": "bert-0", "exported_container": "train",
}  # fmt: skip
PERCENT_MIB_MHZ = {
    "DCGM_FI_DEV_GPU_UTIL": 80.0, "DCGM_FI_DEV_MEM_COPY_UTIL": 40.0, "DCGM_FI_DEV_SM_CLOCK": 1695.0,
    "DCGM_FI_DEV_FB_TOTAL": 24564.0, "DCGM_FI_DEV_FB_USED": 1024.0,
}  # fmt: skip
BASE_UNITS = {
    "DCGM_FI_DEV_GPU_UTIL_RATIO": 0.8, "DCGM_FI_DEV_MEMORY_UTIL_RATIO": 0.4, "DCGM_FI_DEV_SM_CLOCK_HERTZ": 1.695e9,
    "DCGM_FI_DEV_FB_CAPACITY_BYTES": 24564.0 * 2**20, "DCGM_FI_DEV_FB_USED_BYTES": 2.0**30,
}  # fmt: skip


@pytest.mark.parametrize("told", [PERCENT_MIB_MHZ, BASE_UNITS], ids=["dcgm 4.6", "dcgm 4.7"])
def test_both_units_of_dcgm_are_the_same_history(
    serve: Serve, importer: Importer, log: EventLog, told: dict[str, float]
) -> None:
    """80 %, 1,695 MHz and 1,024 MiB are 0.8, 1.695 GHz and 2**30 bytes; the node knows how large its GPU is."""
    world, times = World(), minutes(1)
    for name, value in told.items():
        world.add(name, [(time, value) for time in times], **LABELS)
    importer.run(serve(world).url, 1)
    rows = rows_in(log, "gpu")
    assert len(rows) == len(times)
    assert rows[-1].signals == {
        "gpu_utilization_ratio": pytest.approx(0.8),
        "memory_copy_utilization_ratio": pytest.approx(0.4),
        "sm_clock_hertz": pytest.approx(1.695e9),
        "framebuffer_total_bytes": 24564 * 2**20,
        "framebuffer_used_bytes": 2**30,
    }
    (node,) = nodes_in(log)
    assert node.gpus == (Gpu("GPU-aa", "NVIDIA A10", 24564 * 2**20),)
    seen = {line.signal for line in node.coverage if line.seen}
    assert {"gpu_utilization_ratio", "framebuffer_total_bytes", "sm_clock_hertz"} <= seen
