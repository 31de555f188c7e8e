"""JSON bodies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.events import WorkloadEvent
from models.inventory import Allocation, Gpu, Node, NumaNode
from models.taints import Taint
from stream.dead_letters import BadMessageError, Reason
from stream.json_codec import decode_json, encode_json

EVENT = WorkloadEvent("oom-killed", "c/ns/deployment/web/app", "pod-1", "node-1", 5, {"peak": "1"})


@given(st.builds(Node, st.text(), st.text(), st.integers(0, 2**53), spot=st.none() | st.booleans()))
def test_a_node_comes_back(node: Node) -> None:
    """Nested tuples and what is not known (None) survive."""
    assert decode_json(encode_json(node), Node) == node


def test_nested_parts_come_back() -> None:
    """GPUs, NUMA nodes and allocations are dataclasses again."""
    node = Node(
        "c", "n", 1, numa=(NumaNode(0, "0-3"),), gpus=(Gpu("G", "A100", 1),), allocations=(Allocation("w", "i"),)
    )
    assert decode_json(encode_json(node), Node) == node


def test_a_node_of_an_older_collector_says_nothing_of_taints() -> None:
    """A newer one says none, or which."""
    older = b'{"cluster":"c","name":"n","time_ms":1,"labels":{"pool":"train"}}'
    assert decode_json(older, Node) == Node("c", "n", 1, labels={"pool": "train"}, taints=None)
    for taints in ((), (Taint("gpu", "NoSchedule", "yes"), Taint("old", "PreferNoSchedule"))):
        node = Node("c", "n", 1, taints=taints)
        assert decode_json(encode_json(node), Node) == node


def test_unknown_fields_are_ignored() -> None:
    """An older reader lives with a newer writer."""
    assert decode_json(encode_json(EVENT)[:-1] + b',"colour":"red"}', WorkloadEvent) == EVENT


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (None, Reason.MALFORMED, "no value"),
        (encode_json(EVENT)[:-2], Reason.TRUNCATED, "truncated"),
        (b"", Reason.TRUNCATED, "truncated"),
        (b"\xff", Reason.MALFORMED, "WorkloadEvent"),
        (b"{}", Reason.MALFORMED, "missing required field `kind`"),
        (encode_json(EVENT).replace(b"oom-killed", b"exploded"), Reason.MALFORMED, "$.kind"),
        (encode_json(EVENT).replace(b'"time_ms":5', b'"time_ms":"5"'), Reason.MALFORMED, "$.time_ms"),
        (b'"' + b"x" * (1 << 20) + b'"', Reason.OVERSIZED, "1048578 bytes"),
        (b"[" * 100_000, Reason.MALFORMED, "WorkloadEvent"),
        (b'{"x":' * 100_000, Reason.MALFORMED, "WorkloadEvent"),
    ],
)
def test_what_is_wrong_is_named(value: bytes | None, reason: Reason, detail: str) -> None:
    """The error carries the reason and the path of the field."""
    with pytest.raises(BadMessageError) as caught:
        decode_json(value, WorkloadEvent)
    assert caught.value.reason == reason
    assert detail in caught.value.detail
