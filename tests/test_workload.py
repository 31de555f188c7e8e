"""Workload names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.workload import WorkloadName, partition_of

parts = st.text(max_size=40)


@given(parts, parts, parts, parts, parts)
def test_any_name_survives_its_id(cluster: str, namespace: str, kind: str, name: str, container: str) -> None:
    """An id is the name and nothing less, whatever characters the parts hold."""
    workload = WorkloadName(cluster, namespace, kind, name, container)
    assert WorkloadName.parse(str(workload)) == workload


def test_an_id_with_too_few_parts_says_what_it_needs() -> None:
    """The error names the value and the mend."""
    with pytest.raises(ValueError, match=r"'a/b' has 2 parts; it needs 5"):
        WorkloadName.parse("a/b")


def test_the_partition_is_fixed_for_ever() -> None:
    """CRC-32 of the id modulo partitions: other producers compute the same. crc32(b"a/b/c/d/e") = 0x214d672f."""
    assert partition_of("a/b/c/d/e", 1 << 32) == 0x214D672F
    assert partition_of("a/b/c/d/e", 16) == 0x214D672F % 16
