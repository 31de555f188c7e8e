"""Sums by columns against the same sums by loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bottleneck import Bottleneck, of_job
from recommender.exposition.bottlenecks import whole
from recommender.exposition.namespaces import Namespaces
from tests.recommender.view_columns import slab, snapshot

ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.floats(-1e6, 1e6) | st.just(np.nan)), min_size=1
)


@given(ROWS)
def test_totals_per_namespace(rows: list[tuple[str, str, float]]) -> None:
    """What is known is added up; where nothing is known there is no total. Namespaces with most workloads come first."""
    ids = [f"{cluster}/{namespace}/Job/w{n}/c" for n, (cluster, namespace, _) in enumerate(rows)]
    spaces = Namespaces.of(snapshot(slab(ids)))
    known: dict[tuple[str, str], list[float]] = {(cluster, namespace): [] for cluster, namespace, _ in rows}
    for cluster, namespace, value in rows:
        if value == value:
            known[cluster, namespace].append(value)
    wanted = {key: sum(values) if values else np.nan for key, values in known.items()}
    found = dict(zip(spaces.keys, spaces.sum(np.array([value for *_, value in rows])).tolist(), strict=True))
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-6, nan_ok=True)
    sizes = spaces.sum(np.ones(len(rows)))
    assert (np.diff(sizes) <= 0).all()


def test_what_limits_a_workload_as_a_whole() -> None:
    """The table by columns says what `of_job` says of each pair; without a GPU it is the CPU side."""
    pairs = [(gpu, cpu) for gpu in Bottleneck for cpu in Bottleneck]
    gpu, cpu = (np.array(side, dtype=np.uint8) for side in zip(*pairs, strict=True))
    assert whole(cpu, gpu, np.ones(len(pairs), dtype=bool)).tolist() == [of_job(g, c) for g, c in pairs]
    assert whole(cpu, gpu, np.zeros(len(pairs), dtype=bool)).tolist() == cpu.tolist()
