"""One decision in the words of each scheduler, against golden files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
from lightkube.models.resource_v1 import ResourceClaimTemplate  # noqa: TID251 - typed by the real API's schema

from recommender.decision import Decision, GpuChoice, GpuOption, Size
from recommender.mig.eligible import Because
from recommender.render.dra import claim_template
from recommender.render.errors import NotRenderableError
from recommender.render.kubernetes import kubernetes_patch
from recommender.render.plain import plain
from recommender.render.slurm import sbatch_lines

GOLDEN = Path(__file__).parent / "golden"
GIB = 2**30
WHY = (Because("peak", "covers the highest peak in the window"),)
CPU = Size(8.0, 8.0, 3.2, 3.2, 2.0, 4.0, "lower", WHY)
MEMORY = Size(32 * GIB, None, 20.5 * GIB, None, 18 * GIB, 24 * GIB, "lower", WHY)
NOTHING = Size(None, None, None, None, None, None, "insufficient")
WHOLE = GpuOption("", 1)
SLICE, LARGER = GpuOption("3g.40gb", 1, speed_ratio=0.96), GpuOption("4g.40gb", 1, speed_ratio=0.99)
GPU = GpuChoice(WHOLE, SLICE, (LARGER, WHOLE), ("A100-SXM-80",), "A100-SXM-80", "slice", WHY)
TRAIN = Decision("prod/ml/CronJob/train/main", "rec-00-1", "own-history", 0.91, CPU, MEMORY, GPU)


def golden(name: str) -> str:
    return (GOLDEN / name).read_text()


def test_the_slurm_lines_are_the_golden_ones() -> None:
    """3.2 cores are 4 CPUs, 20.5 GiB 20,992 MiB; the slice by the name that sites give it. A gang asks per task: 20,992 MiB
    over 4 CPUs are 5,248 each."""
    assert sbatch_lines(TRAIN) == golden("train.sbatch")
    assert sbatch_lines(replace(TRAIN, members=4)) == golden("gang.sbatch")


def test_a_limit_is_what_slurm_enforces() -> None:
    """Slurm kills over --mem, so a limit above the request is what is asked for."""
    assert "--mem=24576M" in sbatch_lines(replace(TRAIN, memory=replace(MEMORY, limit=24 * GIB)))


def test_the_patch_is_the_golden_one() -> None:
    """Requests and limits of one container by name; the whole GPU goes where the slice comes."""
    assert kubernetes_patch(TRAIN) == json.loads(golden("train.patch.json"))


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Pod", ("spec",)),
        ("Deployment", ("spec", "template", "spec")),
        ("Job", ("spec", "template", "spec")),
        ("CronJob", ("spec", "jobTemplate", "spec", "template", "spec")),
    ],
)
def test_the_patch_goes_where_the_kind_has_its_pods(kind: str, path: tuple[str, ...]) -> None:
    """A CronJob has a template of a Job of a template."""
    patch: Any = kubernetes_patch(replace(TRAIN, workload=f"prod/ml/{kind}/train/main"))
    for key in path:
        patch = patch[key]
    assert patch["containers"][0]["name"] == "main"


def test_a_gpu_that_stays_is_not_taken_away_first() -> None:
    """The same resource before and after: one key, no null."""
    patch = kubernetes_patch(replace(TRAIN, gpu=replace(GPU, take=WHOLE)))
    resources = patch["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert {k: v for k, v in resources["limits"].items() if "nvidia" in k} == {"nvidia.com/gpu": "1"}


def test_the_claim_template_is_the_golden_one_and_fits_the_api() -> None:
    """Slice, larger slice, whole GPU in order of preference; read by the client's model of resource.k8s.io/v1, nothing is
    lost."""
    made = claim_template(TRAIN)
    assert made == json.loads(golden("train.claim.json"))
    read = ResourceClaimTemplate.from_dict(made).to_dict()
    assert read["spec"] == made["spec"]
    choices = made["spec"]["spec"]["devices"]["requests"][0]["firstAvailable"]
    assert len({choice["name"] for choice in choices}) == len(choices)


def test_a_single_choice_is_claimed_exactly() -> None:
    """Two whole GPUs: no list, a count, no selector."""
    two = replace(GPU, asked=GpuOption("", 2), take=GpuOption("", 2), alternatives=())
    request = claim_template(replace(TRAIN, gpu=two))["spec"]["spec"]["devices"]["requests"][0]
    assert request == {
        "name": "gpu",
        "exactly": {"deviceClassName": "gpu.nvidia.com", "allocationMode": "ExactCount", "count": 2},
    }


@pytest.mark.parametrize("workload", ["", "no-id", "prod/ML/Job/" + "x" * 300 + "/main", "prod/ml/Job/%2F%25 é/main"])
def test_a_claim_has_a_name_that_kubernetes_takes(workload: str) -> None:
    """A DNS label of at most 63 characters, whatever the workload is called."""
    name = claim_template(replace(TRAIN, workload=workload))["metadata"]["name"]
    assert len(name) <= 63
    assert name.replace("-", "a").isalnum()
    assert name == name.lower().strip("-")


def test_what_cannot_be_told_is_refused_with_the_mend() -> None:
    """No container, nothing to set, no GPU, a share of one."""
    for render, decision, said in (
        (kubernetes_patch, replace(TRAIN, workload="prod/ml/Job/train/"), "names no container"),
        (kubernetes_patch, replace(TRAIN, cpu=NOTHING, memory=NOTHING, gpu=None), "nothing to set"),
        (sbatch_lines, replace(TRAIN, cpu=NOTHING, memory=NOTHING, gpu=None), "nothing to set"),
        (claim_template, replace(TRAIN, gpu=None), "no GPU is asked for"),
        (claim_template, replace(TRAIN, gpu=replace(GPU, take=GpuOption("", 1, 0.5))), "share of a GPU"),
    ):
        with pytest.raises(NotRenderableError, match=said):
            render(decision)


def test_the_plain_body_says_how_each_scheduler_asks_for_an_option() -> None:
    """Every alternative in the words of Kubernetes and Slurm; null with its reason."""
    body = plain(TRAIN)
    assert body["gpu"]["take"]["kubernetes_resource"] == {"nvidia.com/mig-3g.40gb": "1"}
    assert [option["slurm_gres"] for option in body["gpu"]["alternatives"]] == ["gpu:a100_4g.40gb:1", "gpu:a100:1"]
    assert body["memory"]["missing"].keys() == {"asked_limit_bytes", "limit_bytes"}


def test_a_strategic_merge_of_plain_maps_is_what_the_patch_does() -> None:
    """Maps merge, null deletes: seen by a JSON patch of the same meaning over a container that has a whole GPU."""
    resources = {"requests": {"cpu": "8", "nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}}
    told = kubernetes_patch(TRAIN)["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["resources"]
    steps = [
        {"op": "remove", "path": f"/{part}/{key.replace('/', '~1')}"}
        if value is None
        else {"op": "add", "path": f"/{part}/{key.replace('/', '~1')}", "value": value}
        for part, values in told.items()
        for key, value in values.items()
    ]
    assert jsonpatch.apply_patch(resources, steps) == {
        "requests": {"cpu": "3200m", "memory": "20992Mi", "nvidia.com/mig-3g.40gb": "1"},
        "limits": {"cpu": "3200m", "nvidia.com/mig-3g.40gb": "1"},
    }
