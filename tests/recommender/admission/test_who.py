"""Which workload a pod will be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.owners import Owner
from models.workload import WorkloadName
from recommender.admission.who import owners_of, workload_id
from recommender.admission.wire import Metadata, OwnerReference
from tests.recommender.admission.pods import Known

parts = st.text(max_size=12)


def controlled(kind: str, owner: str, **more: Any) -> Metadata:
    return Metadata(owner_references=[OwnerReference(kind, owner, True)], **more)


@pytest.mark.parametrize(
    ("metadata", "likeliest"),
    [
        (controlled("ReplicaSet", "web-5d4f8c7b9", generate_name="web-5d4f8c7b9-"), Owner("Deployment", "web")),
        (controlled("StatefulSet", "db", name="db-0"), Owner("StatefulSet", "db")),
        (controlled("DaemonSet", "agent", generate_name="agent-"), Owner("DaemonSet", "agent")),
        (controlled("Job", "nightly-28394520", generate_name="nightly-28394520-"), Owner("CronJob", "nightly")),
        (controlled("Job", "train", generate_name="train-"), Owner("Job", "train")),
        (Metadata(name="debug"), Owner("Pod", "debug")),
    ],
)
def test_the_likeliest_owner_is_first(metadata: Metadata, likeliest: Owner) -> None:
    """By the controller and by what the pod will be called: its name may not be there yet."""
    assert next(owners_of(metadata, "ns", Known())) == likeliest


def test_a_known_parent_comes_first_and_what_a_host_source_would_say_is_tried_too() -> None:
    """An import knows of the Rollout; who sees the pod's name alone takes it for a Deployment."""
    metadata = controlled("ReplicaSet", "web-5d4f8c7b9", generate_name="web-5d4f8c7b9-")
    known = Known(parents={"web-5d4f8c7b9": Owner("Rollout", "web")})
    assert list(owners_of(metadata, "ns", known)) == [Owner("Rollout", "web"), Owner("Deployment", "web")]


def test_a_job_of_a_job_set_is_known_by_either() -> None:
    """Whichever its telemetry came under."""
    labels = {"jobset.sigs.k8s.io/jobset-name": "big", "job-name": "big-workers-0"}
    metadata = controlled("Job", "big-workers-0", generate_name="big-workers-0-0-", labels=labels)
    found = list(owners_of(metadata, "ns", Known()))
    assert found[0] == Owner("Job", "big-workers-0")
    assert Owner("JobSet", "big") in found


@given(parts, parts, parts, parts, parts)
def test_an_id_is_written_as_everywhere(cluster: str, namespace: str, kind: str, name: str, container: str) -> None:
    """At once or escaped: the same text as models.workload makes."""
    expected = str(WorkloadName(cluster, namespace, kind, name, container))
    assert workload_id(cluster, namespace, Owner(kind, name), container) == expected
