"""A node of Kubernetes becomes a node of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.kubernetes.node import MAX_LABELS, bounded, node_of
from collector.kubernetes.spot import SPOT, is_spot
from collector.source import SourceError
from models.inventory import Coverage, Node
from models.taints import CORDONED, Taint
from tests.collector.kubernetes.api_server import node_json

LABELS = {
    "kubernetes.io/hostname": "n1",
    "node.kubernetes.io/instance-type": "p4d.24xlarge",
    "topology.kubernetes.io/zone": "eu-west-1b",
    "karpenter.sh/capacity-type": "spot",
    "nvidia.com/gpu.sharing-strategy": "time-slicing",
    "nvidia.com/gpu.replicas": "4",
}


def read(labels: dict[str, str], allocatable: dict[str, str] | None = None) -> Node:
    return node_of(node_json("n1", labels, allocatable), "prod", "n1", 5)


def test_labels_zone_spot_and_room_are_taken() -> None:
    """EKS keeps 90m and some memory for the system: 95.91 of 96 cores, 1,120,000,000 KiB."""
    found = read(LABELS, {"cpu": "95910m", "memory": "1120000000Ki", "pods": "110"})
    assert found == Node(
        "prod",
        "n1",
        5,
        labels=LABELS,
        zone="eu-west-1b",
        spot=True,
        allocatable_cpu_cores=95.91,
        allocatable_memory_bytes=1_120_000_000 * 1024,
        taints=(),
    )


def test_what_is_not_told_is_not_known() -> None:
    """No labels, no spec, no status. Nothing is 0 or no."""
    body = json.dumps({"metadata": {"name": "n1"}}).encode()
    assert node_of(body, "prod", "n1", 5) == Node("prod", "n1", 5)


def test_taints_are_taken_as_they_are() -> None:
    """With value and without; when it was added does not matter."""
    set_by_hand = [
        {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"},
        {"key": "maintenance", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"},
    ]
    body = node_json("n1", {}, spec={"taints": set_by_hand, "providerID": "aws:///i-1"}, conditions={"Ready": "True"})
    assert node_of(body, "prod", "n1", 5).taints == (
        Taint("nvidia.com/gpu", "NoSchedule", "present"),
        Taint("maintenance", "NoExecute"),
    )


@pytest.mark.parametrize(
    ("spec", "conditions", "key"),
    [
        ({"unschedulable": True}, {}, "unschedulable"),
        ({}, {"Ready": "False"}, "not-ready"),
        ({}, {"Ready": "Unknown"}, "unreachable"),
        ({}, {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "True"}, "disk-pressure"),
        ({"unschedulable": True, "taints": [{"key": CORDONED.key, "effect": "NoSchedule"}]}, {}, "unschedulable"),
    ],
)
def test_a_cordon_and_a_bad_condition_are_the_taint_that_is_about_to_be_set(
    spec: dict[str, Any], conditions: dict[str, str], key: str
) -> None:
    """kubectl cordon sets spec.unschedulable, and the node controller the taint some time after it: it is told once."""
    found = node_of(node_json("n1", {}, spec=spec, conditions=conditions), "prod", "n1", 5)
    assert found.taints == (Taint(f"node.kubernetes.io/{key}", "NoSchedule"),)


@pytest.mark.parametrize("amount", ["", "much", "-1", "0"])
def test_room_that_is_no_amount_is_not_known(amount: str) -> None:
    """Else placement would find the node full."""
    found = read({}, {"cpu": amount, "memory": amount})
    assert (found.allocatable_cpu_cores, found.allocatable_memory_bytes) == (None, None)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"metadata":{"name":"n1","labels":{"a":1}}}', b"\xff"]
)
def test_garbage_is_an_error_of_the_source(body: bytes) -> None:
    """With a mend."""
    with pytest.raises(SourceError, match="is that the Kubernetes API"):
        node_of(body, "prod", "n1", 5)


def test_another_node_is_refused() -> None:
    """Its labels would send jobs to the wrong place."""
    with pytest.raises(SourceError, match="asked for node 'n1', got 'n2'"):
        node_of(node_json("n2", LABELS), "prod", "n1", 5)


def test_the_older_label_names_the_zone_where_the_newer_does_not() -> None:
    """Removed from Kubernetes only after years."""
    assert read({"failure-domain.beta.kubernetes.io/zone": "b"}).zone == "b"
    assert read({"failure-domain.beta.kubernetes.io/zone": "b", "topology.kubernetes.io/zone": "a"}).zone == "a"


def test_labels_over_the_bound_are_left_out_and_said_to_be() -> None:
    """513 labels and one with a value that Kubernetes refuses: 512 are kept, two are named as left out."""
    found = read({f"l{n:03}": "x" for n in range(MAX_LABELS + 1)} | {"a": "x" * 64})
    assert list(found.labels) == [f"l{n:03}" for n in range(MAX_LABELS)]
    (line,) = found.coverage
    assert isinstance(line, Coverage)
    assert (line.source, line.signal, line.seen) == ("kubernetes-node", "labels", False)
    assert line.reason.startswith("2 labels are left out")


@given(st.dictionaries(st.text(max_size=400), st.text(max_size=80), max_size=30))
def test_every_label_that_kubernetes_allows_is_kept(told: dict[str, str]) -> None:
    """Up to the bound: keys of 317 characters, values of 63."""
    kept = {key: value for key, value in told.items() if len(key) <= 317 and len(value) <= 63}
    assert bounded(told) == kept


@pytest.mark.parametrize(
    ("label", "value", "spot"),
    [
        ("karpenter.sh/capacity-type", "spot", True),
        ("karpenter.sh/capacity-type", "on-demand", False),
        ("karpenter.sh/capacity-type", "reserved", False),
        ("eks.amazonaws.com/capacityType", "SPOT", True),
        ("eks.amazonaws.com/capacityType", "ON_DEMAND", False),
        ("cloud.google.com/gke-spot", "true", True),
        ("cloud.google.com/gke-preemptible", "true", True),
        ("cloud.google.com/gke-provisioning", "spot", True),
        ("cloud.google.com/gke-provisioning", "standard", False),
        ("kubernetes.azure.com/scalesetpriority", "spot", True),
        ("kubernetes.azure.com/scalesetpriority", "regular", False),
        ("oci.oraclecloud.com/oke-is-preemptible", "true", True),
        ("spotinst.io/node-lifecycle", "od", False),
        ("scheduling.cast.ai/spot", "true", True),
        ("node.kubernetes.io/lifecycle", "spot", True),
        ("node-lifecycle", "ondemand", False),
        ("lifecycle", "Ec2Spot", True),
        ("lifecycle", "OnDemand", False),
        ("kubernetes.io/hostname", "spot", None),
    ],
)
def test_what_clouds_say_of_spot(label: str, value: str, spot: bool | None) -> None:
    """Each in its own words; silence is neither."""
    told: dict[str, Any] = {label: value, "topology.kubernetes.io/zone": "a"}
    assert is_spot(told) is spot


@given(st.sampled_from(sorted(SPOT)), st.sampled_from(sorted(SPOT)))
def test_one_that_says_spot_is_believed(one: str, other: str) -> None:
    """A job that cannot be interrupted must not go there by a contradiction."""
    said = {other: "on-demand", one: next(iter(SPOT[one]))}
    assert is_spot(said) is True
