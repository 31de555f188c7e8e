"""What a job with GPUs should get: the slice that its own use allows, in each form."""

from __future__ import annotations

import pytest

from models.inventory import Gpu, MigInstance, Node
from recommender.api.settings import ApiSettings, MigSettings
from recommender.view import Snapshot
from tests.profiler.telemetry import workload
from tests.recommender.api.deciding import CART, NAN, SPOT, ask, cart, codes, nodes
from tests.recommender.api.gpu_fleet import H100, client_over, gpu_fleet
from tests.recommender.api.nodes import GIB, gpu_node


@pytest.fixture(scope="module")
def gpus() -> Snapshot:
    return gpu_fleet()


def sliced(*profiles: str) -> Node:
    """A node with one H100 cut into these."""
    mig = tuple(MigInstance(f"m/{n}", profile, n) for n, profile in enumerate(profiles))
    card = Gpu("m", H100, 80 * GIB, mig_enabled=True, mig=mig)
    return Node("prod", "cut", 1, cpu_cores=64, memory_bytes=512 * GIB, gpus=(card,))


SMALL_JOB = {"workload": workload("small"), "cluster": "prod", "gpus": 1, "gpu_models": [H100]}


def test_a_small_job_gets_a_slice_where_one_is_free(gpus: Snapshot) -> None:
    """Whole GPUs are free too; the slice is preferred, larger ones and the whole GPU stay as alternatives. Where no slice
    is safe for the slowdown that policy allows, a job of high priority keeps the whole GPU."""
    found = ask(client_over(gpus, nodes(sliced("1g.10gb", "3g.40gb"), gpu_node("whole", model=H100))), **SMALL_JOB)
    gpu = found["gpu"]
    assert (gpu["action"], gpu["take"]["mig_profile"], gpu["seen_on"]) == ("slice", "3g.40gb", "H100-SXM-80")
    assert gpu["take"]["slurm_gres"] == "gpu:h100_3g.40gb:1"
    assert [option["mig_profile"] for option in gpu["alternatives"]][-2:] == ["4g.40gb", None]
    assert found["placement"]["placement"][0]["gpus"][0]["mig_profile"] == "3g.40gb"
    strict = ApiSettings(mig=MigSettings(max_slowdown_ratio=0.03))
    room = nodes(sliced("3g.40gb"), gpu_node("w", model=H100))
    near = ask(client_over(gpus, room, strict), **SMALL_JOB, priority="high")["gpu"]
    assert (near["action"], near["take"]["mig_profile"], codes(near["reasons"])[-1]) == ("whole", None, "priority")


def test_without_a_free_slice_the_next_larger_and_at_last_the_whole_gpu_is_taken(gpus: Snapshot) -> None:
    """No 3g anywhere: 4g. No slice at all: a whole GPU, and how to get slices. No room at all: the first choice, unplaced."""
    larger = ask(client_over(gpus, nodes(sliced("1g.10gb", "4g.40gb"))), **SMALL_JOB)["gpu"]
    assert (larger["take"]["mig_profile"], codes(larger["reasons"])[-1]) == ("4g.40gb", "no-room")
    whole = ask(client_over(gpus, nodes(gpu_node("w", model=H100))), **SMALL_JOB)
    assert (whole["gpu"]["action"], whole["gpu"]["take"]["mig_profile"]) == ("whole", None)
    assert "POST /v1/pack" in whole["gpu"]["reasons"][-1]["sentence"]
    assert whole["placement"]["placed"]
    full = ask(client_over(gpus, nodes(gpu_node("w", model=H100, busy=8))), **SMALL_JOB)
    assert (full["gpu"]["take"]["mig_profile"], full["placement"]["placed"]) == ("3g.40gb", False)


def test_a_slice_is_not_told_from_another_model_or_several_gpus(gpus: Snapshot) -> None:
    """Seen on H100, asked for on A100; two GPUs at once; a share by time: what is asked for stays, with the reason."""
    client = client_over(gpus, nodes(gpu_node("a"), gpu_node("h", model=H100)))
    asked = [{"gpu_models": ["A100-SXM-80"]}, {"gpus": 2, "workload": workload("many")}, {"gpu_share_ratio": 0.5}]
    found = [ask(client, **(SMALL_JOB | {"gpu_models": []} | change))["gpu"] for change in asked]
    assert [gpu["action"] for gpu in found] == ["as-asked"] * 3
    assert [codes(gpu["reasons"])[0] for gpu in found] == ["other-gpu", "multi-gpu", "shared-gpu"]


def test_priority_and_deadline_change_what_is_risked(gpus: Snapshot) -> None:
    """High: no spot node though spot was offered. A deadline that interruptions would miss: spot is not advised."""
    cheap = nodes(gpu_node("d", price_usd_per_hour=24.0), gpu_node("s", price_usd_per_hour=8.0, spot=True))
    client = client_over(Snapshot(), cheap)
    asked = {"gpus": 1, "run_time_s": 36_000, "spot": SPOT}
    assert ask(client, **asked)["placement"]["spot"]["advised"]
    high = ask(client, **asked, priority="high")
    assert ([r["nodes"] for r in high["placement"]["refused"]], "priority" in codes(high["reasons"])) == (
        [["prod/s"]],
        True,
    )
    late = ask(client, **asked, deadline_s=36_500)["placement"]["spot"]
    assert (late["advised"], "deadline" in late["sentence"]) == (False, True)
    assert "deadline" in codes(ask(client, **asked, deadline_s=600)["reasons"])
    weights = ask(client, **asked, priority="low")["placement"]["candidates"][0]["factors"]
    assert {factor["name"]: factor["weight"] for factor in weights}["cost"] == 1.0


def test_a_workload_that_runs_is_told_in_the_words_of_each_scheduler(gpus: Snapshot) -> None:
    """What its nodes say that it holds is what it asks for: of 2 cores 0.5 are enough; a small GPU job gets a slice."""
    running = client_over(cart(request_now=[[2, GIB]], limit_now=[[2, NAN]]), {})
    path = f"/v1/workloads/{CART}/recommendation"
    patch = running.get(path, params={"format": "kubernetes-patch"}).json()
    (container,) = patch["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"cpu": "500m"}}
    assert running.get(path, headers={"Accept": "text/plain"}).text.endswith("--cpus-per-task=1\n#SBATCH --mem=2048M\n")
    assert running.get(path, params={"format": "dra"}).status_code == 422
    claim = client_over(gpus, {}).get(f"/v1/workloads/{workload('small')}/recommendation?format=dra").json()
    choices = claim["spec"]["spec"]["devices"]["requests"][0]["firstAvailable"]
    assert [choice["name"] for choice in choices] == ["3g-40gb", "4g-40gb", "whole"]
