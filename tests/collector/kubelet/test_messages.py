"""The hand-read messages say what protobuf's own encoding of them holds, and rubbish is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.kubelet.messages import Claimed, Container, MalformedError, containers
from tests.collector.kubelet.pod_resources import list_response

_texts = st.text(max_size=12)
_claimed = st.builds(Claimed, _texts, _texts, st.lists(_texts, max_size=2).map(tuple))
_plugged = st.tuples(_texts, st.lists(_texts, max_size=3).map(tuple))
_containers = st.builds(
    Container,
    _texts,
    _texts,
    _texts,
    st.lists(_plugged, max_size=3).map(tuple),
    st.lists(_claimed, max_size=2).map(tuple),
)


def encoded(found: list[Container], numbers: list[int]) -> bytes:
    """By protobuf; `numbers` fill fields that are not read."""
    response = list_response()
    for one in found:
        container = response.pod_resources.add(name=one.pod, namespace=one.namespace).containers.add(name=one.name)
        container.cpu_ids.extend(numbers)
        container.memory.add(memory_type="hugepages-1Gi", size=numbers[0] if numbers else 0)
        for resource, devices in one.plugged:
            container.devices.add(resource_name=resource, device_ids=devices)
        for claim in one.claimed:
            added = container.dynamic_resources.add(claim_name="c").claim_resources.add(
                driver_name=claim.driver, pool_name="n1", device_name=claim.device
            )
            for name in claim.cdi:
                added.cdi_devices.add(name=name)
    return bytes(response.SerializeToString())


@given(st.lists(_containers, max_size=4), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4))
def test_what_protobuf_wrote_is_read(found: list[Container], numbers: list[int]) -> None:
    """Texts of any alphabet, empty ones, repeated fields, and numbers between them that are skipped."""
    assert list(containers(encoded(found, numbers))) == found


@given(st.binary(max_size=60))
def test_rubbish_is_read_as_something_or_refused(rubbish: bytes) -> None:
    """Never another error, and never more than is there."""
    with suppress(MalformedError):
        assert sum(len(one.name) for one in containers(rubbish)) <= len(rubbish)


@given(st.lists(_containers, min_size=1, max_size=2), st.data())
def test_an_answer_that_was_cut_short_is_refused_or_shorter(found: list[Container], data: st.DataObject) -> None:
    """Cut inside a pod it is refused; between two pods it holds fewer."""
    body = encoded(found, [])
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    with suppress(MalformedError):
        assert len(list(containers(cut))) < len(found) + 1


@pytest.mark.parametrize("body", [b"\xff" * 11, b"\x0b", b"\x0a\x05abc", b"\x0d\x00"])
def test_broken_bytes_are_refused(body: bytes) -> None:
    """A number without end, a kind that does not exist any more, a length beyond the end, half a fixed number."""
    with pytest.raises(MalformedError):
        list(containers(body))
