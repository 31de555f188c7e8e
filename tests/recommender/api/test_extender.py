"""The extender that kube-scheduler calls."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from models.inventory import Gpu, MigInstance, Node
from models.metrics import NullMeter
from models.taints import CORDONED, Taint
from models.workload import WorkloadName
from recommender.api import extender_routes
from recommender.api.app import create_app
from recommender.api.extender_pod import asks_of, workloads_of
from recommender.api.extender_wire import FilterResult, HostPriority, read_call
from recommender.api.settings import ApiSettings, ExtenderSettings
from recommender.view import Snapshot, View
from tests.profiler.telemetry import workload
from tests.recommender.api.gpu_fleet import H100, client_over, gpu_fleet
from tests.recommender.api.nodes import GIB, gpu_node

GPU, MIG = "nvidia.com/gpu", "nvidia.com/mig-3g.40gb"


def pod(name: str = "train-0", /, **limits: str) -> dict[str, Any]:
    """One container `main`; limits by resource, `_` for what a keyword cannot hold."""
    named = {key.replace("GPU", GPU).replace("MIG", MIG): value for key, value in limits.items()}
    container = {"name": "main", "resources": {"limits": named, "requests": named}}
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"containers": [container]}}


def json_of(body: Any) -> bytes:
    return json.dumps(body).encode()


def by_name(*made: Node) -> dict[str, Node]:
    return {f"{node.cluster}/{node.name}": node for node in made}


def client(*made: Node, snapshot: Snapshot | None = None) -> TestClient:
    return client_over(snapshot or Snapshot(), by_name(*made))


def filtered(asked: TestClient, made: Mapping[str, Any], *names: str, **parameters: str) -> dict[str, Any]:
    answer = asked.post("/v1/extender/filter", json={"Pod": made, "NodeNames": list(names)}, params=parameters)
    assert answer.status_code == 200, answer.text
    FilterResult.model_validate(answer.json(), extra="forbid")
    found: dict[str, Any] = answer.json()
    return found


def scored(asked: TestClient, made: Mapping[str, Any], *names: str) -> dict[str, int]:
    answer = asked.post("/v1/extender/prioritize", json={"Pod": made, "NodeNames": list(names)})
    assert answer.status_code == 200, answer.text
    for one in answer.json():
        HostPriority.model_validate(one, extra="forbid")
    return {one["Host"]: one["Score"] for one in answer.json()}


def cut(name: str, *profiles: str) -> Node:
    mig = tuple(MigInstance(f"{name}/{n}", profile, n) for n, profile in enumerate(profiles))
    card = Gpu(f"{name}-g", H100, 80 * GIB, mig_enabled=True, mig=mig)
    return Node("prod", name, 1, cpu_cores=64, memory_bytes=512 * GIB, gpus=(card,))


def test_the_filter_looks_at_what_a_node_is_and_not_at_what_is_free() -> None:
    """Two GPUs asked for: a full node of eight passes, as the scheduler counts what is free; one of one never can;
    one that the inventory does not know passes, and so does one whose GPUs it does not know: the scheduler knows of some there."""
    asked = client(gpu_node("full", busy=8), gpu_node("one", gpus=1), gpu_node("none", gpus=0))
    found = filtered(asked, pod(GPU="2"), "full", "one", "none", "new")
    assert found["NodeNames"] == ["full", "none", "new"]
    assert found["FailedAndUnresolvableNodes"] == {"one": "it has 1 GPUs, 2 are asked for"}
    assert (found["Nodes"], found["FailedNodes"], found["Error"]) == (None, {}, "")


def test_a_pod_without_gpus_passes_everywhere() -> None:
    """CPU and memory are the scheduler's own affair."""
    assert filtered(client(gpu_node("a", gpus=0)), pod(cpu="9999"), "a")["NodeNames"] == ["a"]


def test_a_slice_needs_a_node_with_such_slices() -> None:
    """By the profile's name, as many as are asked for; a node of the strategy `single` offers slices as GPUs and passes."""
    asked = client(cut("cut", "3g.40gb", "1g.10gb"), gpu_node("whole"))
    assert filtered(asked, pod(MIG="1"), "cut", "whole")["NodeNames"] == ["cut"]
    assert filtered(asked, pod(MIG="2"), "cut", "whole")["NodeNames"] == []
    assert filtered(asked, pod(GPU="3"), "cut", "whole")["NodeNames"] == ["cut", "whole"]


def test_a_workload_that_is_known_does_not_go_where_its_memory_or_fp64_has_no_place() -> None:
    """`reserved` held 72 GiB on an H100: no node of A10 with 24. `fp64` computes in FP64, which an A10 has hardly any of."""
    small = replace(
        gpu_node("small", model="NVIDIA A10"), gpus=tuple(Gpu(f"s{n}", "NVIDIA A10", 24 * GIB) for n in range(8))
    )
    asked = client(gpu_node("large"), small, snapshot=gpu_fleet())
    for name, said in (("reserved", "72.0 GiB"), ("fp64", "FP64")):
        owner = {"kind": "ReplicaSet", "name": f"{name}-76d4b", "controller": True}
        made = pod(f"{name}-7c9d8b6f5d-x2x4z", GPU="1")
        made["metadata"]["ownerReferences"] = [owner]
        found = filtered(asked, made, "large", "small")
        assert found["NodeNames"] == ["large"]
        assert said in found["FailedAndUnresolvableNodes"]["small"]


def test_the_ids_of_a_pod_are_those_of_its_telemetry() -> None:
    """The Deployment behind a ReplicaSet's pod, in the cluster of the candidate nodes."""
    made = pod("small-7c9d8b6f5d-x2x4z", GPU="1")
    call = read_call(json_of({"Pod": made, "NodeNames": ["a"]}))
    assert workload("small") in workloads_of(call.pod, "prod")
    assert str(WorkloadName("prod", "shop", "Deployment", "small", "main")) == workload("small")


def test_scores_follow_the_ranking() -> None:
    """A job of one GPU stands best where seven of eight are taken, worst on an empty node; a full one gets 0, and one that
    nothing is known of 5."""
    asked = client(gpu_node("empty"), gpu_node("used", busy=7), gpu_node("full", busy=8))
    assert scored(asked, pod(GPU="1"), "empty", "used", "full", "new") == {"empty": 1, "used": 10, "full": 0, "new": 5}


def test_spot_nodes_are_not_refused() -> None:
    """Taints and selectors have said already whether the pod may run there."""
    assert scored(client(gpu_node("s", spot=True)), pod(GPU="1"), "s") == {"s": 10}


def test_a_plain_name_in_two_clusters_is_not_guessed() -> None:
    """Without a cluster the node is not known; with one it is."""
    asked = client(gpu_node("a"), replace(gpu_node("a", gpus=1), cluster="lab"))
    assert filtered(asked, pod(GPU="2"), "a")["NodeNames"] == ["a"]
    assert filtered(asked, pod(GPU="2"), "a", cluster="lab")["NodeNames"] == []


def test_node_objects_are_answered_with_node_objects() -> None:
    """Without nodeCacheCapable whole nodes come and those that pass go back as they came."""
    items = [{"metadata": {"name": name, "labels": {"x": name}}} for name in ("a", "b")]
    body = {"pod": pod(GPU="2"), "nodes": {"items": items}, "nodenames": None}
    found = client(gpu_node("a"), gpu_node("b", gpus=1)).post("/v1/extender/filter", json=body).json()
    assert found["Nodes"]["items"] == [items[0]]
    assert (found["NodeNames"], list(found["FailedAndUnresolvableNodes"])) == (None, ["b"])


def container(name: str, restart: str | None = None, **requests: str) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "resources": {"requests": requests}}
    return made | ({"restartPolicy": restart} if restart else {})


def test_a_pod_asks_for_what_the_scheduler_counts() -> None:
    """Containers 1 + 2 and sidecar 0.5: 3.5. The init container of 3 runs beside the sidecar before it: 3.5; of memory the
    init container has most: 4 GiB."""
    spec = {
        "containers": [container("a", cpu="1", memory="1Gi"), container("b", cpu="2")],
        "initContainers": [container("side", "Always", cpu="500m"), container("init", cpu="3", memory="4Gi")],
    }
    asks = asks_of(read_call(json_of({"Pod": {"metadata": {}, "spec": spec}})).pod)
    assert (asks.cpu_cores, asks.memory_bytes, asks.gpus) == (3.5, 4 * GIB, 0)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{no", "body"),
        (b"[]", "body"),
        (b"{}", "Pod"),
        (b'{"Pod": 3}', "Pod"),
        (json_of({"Pod": pod(), "NodeNames": 3}), "NodeNames"),
        (json_of({"Pod": pod(), "Nodes": {"items": [{}]}}), "Nodes.items"),
        (json_of({"Pod": pod(cpu="x"), "NodeNames": []}), "Pod.spec.containers[0].resources.cpu"),
        (json_of({"Pod": pod(GPU="1000"), "NodeNames": []}), "Pod.spec.containers"),
        (b'{"Pod":' * 50_000, "body"),
    ],
)
def test_what_is_no_call_is_a_problem(body: bytes, field: str) -> None:
    """Field and mend, whatever is sent."""
    for verb in ("filter", "prioritize"):
        answer = client().post(f"/v1/extender/{verb}", content=body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


class Counting(NullMeter):
    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        super().count(name)
        if name == "sizewise_extender_calls_total":
            self.outcomes.append(labels["outcome"])


def test_what_is_late_or_fails_is_answered_neutrally(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that does not end within the deadline, and work that raises: every node passes, all score 5."""
    view, meter, ends = View(), Counting(), threading.Event()
    view.snapshot, view.missing = Snapshot({}, by_name(gpu_node("a", gpus=1))), {}
    api = ApiSettings(extender=ExtenderSettings(deadline_ms=20))
    asked = TestClient(create_app(view, api, meter, lambda: 0.0, lambda: (b"", "")), base_url="http://localhost")

    def hangs(*_: object) -> Any:
        ends.wait(10)

    def breaks(*_: object) -> Any:
        raise ZeroDivisionError

    for work in (hangs, breaks):
        monkeypatch.setattr(extender_routes, "filter_nodes", work)
        monkeypatch.setattr(extender_routes, "prioritize", work)
        assert filtered(asked, pod(GPU="2"), "a")["NodeNames"] == ["a"]
        assert scored(asked, pod(GPU="2"), "a") == {"a": 5}
    ends.set()
    assert meter.outcomes == ["late", "late", "failed", "failed"]


NODES = (gpu_node("a", busy=3), gpu_node("b", model=H100), gpu_node("c", gpus=0), cut("d", "3g.40gb"))
ASKED = client(*NODES)
QUANTITY = st.one_of(st.from_regex(r"[0-9]{1,4}(m|Gi|k)?", fullmatch=True), st.integers(0, 10**20))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from([GPU, MIG, "cpu", "memory", "x/y"]), QUANTITY, max_size=4),
    st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), unique=True, max_size=5),
)
def test_every_node_is_answered_once(limits: dict[str, Any], names: list[str]) -> None:
    """Passed or failed, never both; one score each from 0 to 10; or the pod is refused by name of the field."""
    made = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main", "resources": {"limits": limits}}]}}
    body = {"Pod": made, "NodeNames": names}
    answer = ASKED.post("/v1/extender/filter", json=body)
    if answer.status_code == 422:
        assert answer.json()["errors"][0]["field"].startswith("Pod.spec.containers")
        return
    found = answer.json()
    assert sorted([*found["NodeNames"], *found["FailedAndUnresolvableNodes"]]) == sorted(names)
    scores = ASKED.post("/v1/extender/prioritize", json=body).json()
    assert [one["Host"] for one in scores] == names
    assert all(0 <= one["Score"] <= 10 for one in scores)


def test_a_node_that_the_pod_does_not_tolerate_gets_no_points_and_passes_the_filter() -> None:
    """kube-scheduler filtered by taints a moment ago, we know them as of the last report: a node that was opened since then
    must not be lost to the pod."""
    taint = Taint("nvidia.com/gpu", "NoSchedule", "present")
    asked = client(gpu_node("open"), gpu_node("marked", taints=(taint,)), gpu_node("shut", taints=(CORDONED,)))
    names = ("open", "marked", "shut")
    bare = pod(GPU="1")
    assert filtered(asked, bare, *names)["NodeNames"] == list(names)
    assert scored(asked, bare, *names) == {"open": 10, "marked": 0, "shut": 0}
    bare["spec"]["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert scored(asked, bare, *names) == {"open": 10, "marked": 10, "shut": 0}


def test_a_node_that_bids_go_elsewhere_gets_fewer_points() -> None:
    """And more than none."""
    asked = client(gpu_node("open"), gpu_node("rather-not", taints=(Taint("old", "PreferNoSchedule"),)))
    assert scored(asked, pod(GPU="1"), "open", "rather-not") == {"open": 10, "rather-not": 1}


@pytest.mark.parametrize("tolerations", ["all", [{"key": 1}], {}])
def test_tolerations_that_cannot_be_read_are_refused(tolerations: Any) -> None:
    """With the field, as every other part of the pod."""
    made = pod(GPU="1")
    made["spec"]["tolerations"] = tolerations
    answer = client(gpu_node("a")).post("/v1/extender/prioritize", json={"Pod": made, "NodeNames": ["a"]})
    assert answer.status_code == 422
    assert "Pod.spec.tolerations" in answer.text
