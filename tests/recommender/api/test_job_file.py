"""Jobs out of a file."""

from __future__ import annotations

import pytest

from recommender.api.job_file import read_jobs
from recommender.view_query import QueryError

CRON = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: train, namespace: ml, labels: {app: bert}}
spec:
  jobTemplate:
    spec:
      template:
        spec:
          nodeSelector: {pool: gpu}
          tolerations:
          - {key: nvidia.com/gpu, operator: Exists, effect: NoExecute, tolerationSeconds: 300}
          containers:
          - name: main
            image: ghcr.io/acme/bert:1
            command: [python, train.py]
            args: [--batch-size, "32"]
            resources:
              requests: {cpu: 1500m}
              limits: {cpu: 2, memory: 8Gi, nvidia.com/gpu: 1}
          - name: side
            resources: {limits: {nvidia.com/mig-1g.10gb.me: 2}}
---
cpu_cores: 2
members: 3
"""


def test_every_container_of_a_kubernetes_object_is_a_job() -> None:
    """Name, program, and sizes in cores and bytes; a limit without a request is the request; a slice by NVML's name. What is
    no object is a job as the API takes it."""
    main, side, plain = read_jobs(CRON, "prod")
    assert (main.cluster, main.namespace, main.kind, main.name, main.container) == (
        "prod",
        "ml",
        "CronJob",
        "train",
        "main",
    )
    assert (main.image, main.command, main.args) == (
        "ghcr.io/acme/bert:1",
        ["python", "train.py"],
        ["--batch-size", "32"],
    )
    assert (main.cpu_cores, main.cpu_limit_cores, main.memory_bytes, main.memory_limit_bytes) == (1.5, 2, 2**33, 2**33)
    assert (main.gpus, main.node_labels, main.labels) == (1, {"pool": "gpu"}, {"app": "bert"})
    (borne,) = side.tolerations
    assert (borne.key, borne.operator, borne.effect) == ("nvidia.com/gpu", "Exists", "NoExecute")
    assert (side.gpus, side.mig_profile) == (2, "1g.10gb+me")
    assert (plain.cpu_cores, plain.members, plain.cluster) == (2, 3, None)


def test_a_list_is_as_good_as_documents() -> None:
    """Of jobs, and a List of objects."""
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}]}"
    indented = pod.replace("\n", "\n  ")
    assert [job.kind for job in read_jobs(f"apiVersion: v1\nkind: List\nitems:\n- {indented}")] == ["Pod"]
    assert len(read_jobs('[{"cpu_cores": 1}, {"gpus": 1}]')) == 2


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "file"),
        ("a: [", "file"),
        ("- {}\n" * 101, "file"),
        ("cores: 1", "[0].cores"),
        ("- cpu_cores: 1\n- gpus: x", "[1].gpus"),
        ("just text", "[0]"),
        ("apiVersion: v1\nkind: Service", "kind"),
        ("apiVersion: apps/v1\nkind: Deployment\nspec: 3", "Deployment.spec"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {}\nspec: {containers: [3]}", "Pod.containers[0]"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {}\nspec: {containers: [{resources: {limits: {cpu: much}}}]}",
            "Pod.containers[0].limits.cpu",
        ),
        ("apiVersion: v1\nkind: Pod\nmetadata: {}\nspec: {containers: 3}", "Pod.containers"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {}\nspec: {containers: [{resources: all}]}",
            "Pod.containers[0].resources",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {}\nspec: {containers: [{resources: {limits: [cpu]}}]}",
            "Pod.containers[0].limits",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {}\nspec: {containers: [{resources: {limits: {nvidia.com/mig-x: 1}}}]}",
            "Pod.containers[0].resources",
        ),
        ("apiVersion: v1\nkind: List\nitems: 3", "List.items"),
        ("!!python/object/apply:os.system [ls]", "file"),
    ],
)
def test_what_is_wrong_is_named(text: str, field: str) -> None:
    """Field and mend; nothing is run."""
    with pytest.raises(QueryError) as error:
        read_jobs(text)
    assert error.value.field == field
