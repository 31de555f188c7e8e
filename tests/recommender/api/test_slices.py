"""MIG advice in the recommendation, and GPU profiles in placement: from telemetry messages to the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.inventory import Allocation, Gpu, MigInstance, Node
from models.metrics import NullMeter
from profiler import summary
from recommender.api import answers
from recommender.api.app import create_app
from recommender.api.settings import ApiSettings, MigSettings
from recommender.view import Snapshot, View, join
from stream.columns_codec import encode_columns
from tests.profiler.gpu_telemetry import GpuRow, gpu_message
from tests.profiler.telemetry import SECOND, Row, message, profile, workload
from tests.recommender.api.nodes import GIB, gpu_node
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


@pytest.fixture(scope="module")
def known() -> Snapshot:
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


def advice(client: TestClient, name: str) -> dict[str, Any]:
    body = client.get(f"/v1/workloads/{workload(name)}/recommendation").json()
    answers.RecommendationAnswer.model_validate(body, extra="forbid")
    found: dict[str, Any] = body["mig"]
    return found


def codes(mig: dict[str, Any]) -> set[str]:
    return {reason["code"] for reason in mig["reasons"]}


def test_a_small_job_is_advised_a_slice_in_the_words_of_schedulers(known: Snapshot) -> None:
    """8 GiB fit every slice; 3g is the smallest that keeps 1/1.1 of the speed, and a larger slice is never slower."""
    mig = advice(client_over(known, {}), "small")
    assert (mig["action"], mig["mig_profile"], mig["max_slowdown_ratio"]) == ("slice", "3g.40gb", 0.1)
    assert mig["ask_for"] == {
        "kubernetes_resource": {"nvidia.com/mig-3g.40gb": "1"},
        "kubernetes_dra_selector": "device.attributes['gpu.nvidia.com'].profile == '3g.40gb'",
        "slurm_gres": "gpu:h100_3g.40gb:1",
    }
    speeds = {speed["mig_profile"]: speed["speed_ratio"] for speed in mig["speeds"]}
    assert speeds["2g.20gb"] < 1 / 1.1 <= speeds["3g.40gb"]
    assert speeds["1g.10gb"] <= speeds["2g.20gb"] <= speeds["4g.40gb"] <= speeds["7g.80gb"] == 1
    assert {"slice-speed", "memory-held", "other-gpu"} <= codes(mig)
    assert mig["probe"] == "3g.40gb"  # the model was trained on an A100: on an H100 the advised slice is to be tried


def test_a_job_that_needs_the_whole_gpu_keeps_it(known: Snapshot) -> None:
    """It draws all the power and is always busy. A policy that bears ten times the run time gives it a slice."""
    assert advice(client_over(known, {}), "hungry")["action"] == "whole"
    patient = ApiSettings(mig=MigSettings(max_slowdown_ratio=9.0))
    assert advice(client_over(known, {}, patient), "hungry")["mig_profile"] == "1g.10gb"


def test_what_slices_cannot_answer_is_refused_with_why(known: Snapshot) -> None:
    """Two GPUs; already on a slice; a GPU that others hold too."""
    client = client_over(known, {})
    assert (advice(client, "many")["action"], codes(advice(client, "many"))) == ("refused", {"multi-gpu"})
    assert codes(advice(client, "cut")) == {"on-mig"}
    card = Gpu("small-0", H100, 80 * GIB)
    both = tuple(Allocation(holder, "i", gpu_uuids=("small-0",)) for holder in (workload("small"), "c/n/k/other/"))
    shared = client_over(known, {"c/n": Node("c", "n", 1, gpus=(card,), allocations=both)})
    assert codes(advice(shared, "small")) == {"shared-gpu"}


def test_the_slice_it_runs_on_is_told_by_inventory(known: Snapshot) -> None:
    """8 GiB of the 9.75 of 1g.10gb."""
    card = Gpu("g", H100, 80 * GIB, mig_enabled=True, mig=(MigInstance("cut-0", "1g.10gb", 0),))
    held = (Allocation(workload("cut"), "i", gpu_uuids=("cut-0",)),)
    mig = advice(client_over(known, {"c/n": Node("c", "n", 1, gpus=(card,), allocations=held)}), "cut")
    assert "already runs on 1g.10gb" in mig["reasons"][0]["sentence"]


def test_memory_that_is_reserved_and_signals_that_are_missing_are_said(known: Snapshot) -> None:
    """72 of 80 GiB from start to end: sized by what is held, with how to do better. Without signals: measure first."""
    client = client_over(known, {})
    assert "memory-reserved" in codes(advice(client, "reserved"))
    blind = advice(client, "blind")
    assert (blind["action"], "signals-missing" in codes(blind)) == ("probe", True)


def test_a_workload_without_gpu_has_no_slice(known: Snapshot) -> None:
    """Null, with its reason."""
    body = client_over(known, {}).get(f"/v1/workloads/{workload('web')}/recommendation").json()
    assert (body["mig"], body["missing"]["mig"]) == (None, "no GPU telemetry of it was seen")


def test_a_profile_says_to_placement_what_limits_a_job(known: Snapshot) -> None:
    """It was seen to compute in FP64, so it is kept off an L4 (0.47 TFLOP/s) without a word in the request; a word in
    the request wins."""
    nodes = {f"prod/{n.name}": n for n in (gpu_node("a"), gpu_node("l", model="NVIDIA L4"))}
    client = client_over(known, nodes)
    ask = {"gpus": 1, "workload": workload("fp64")}
    body = client.post("/v1/place", json=ask).json()
    assert [c["node"] for c in body["candidates"]] == ["prod/a"]
    assert "FP64" in body["refused"][0]["reason"]
    free = client.post("/v1/place", json=ask | {"computes_fp64": False, "bottleneck": "latency"}).json()
    assert len(free["candidates"]) == 2
    assert "latency-bound" in next(
        f["sentence"] for f in free["candidates"][0]["factors"] if f["name"] == "suitability"
    )
    unknown = client.post("/v1/place", json=ask | {"workload": "no/such/work/load/"}).json()
    assert unknown["errors"][0]["field"] == "workload"
    assert client.post("/v1/place", json=ask | {"workload": workload("web")}).status_code == 200


def test_a_slowdown_that_means_nothing_is_refused() -> None:
    """Percent instead of a ratio is the likely slip."""
    with pytest.raises(ValueError, match="max_slowdown_ratio is 50; it must be 0 to 10"):
        MigSettings(max_slowdown_ratio=50)
