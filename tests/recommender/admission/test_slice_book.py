"""MIG slices for pods, from profiles and nodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.columns import Columns, empty_arrays
from models.hardware.discovery import code_of
from models.inventory import Allocation, Gpu, MigInstance, Node
from models.peak16 import to_peak16
from models.profile import GPU_FIELDS, GPU_SIGNALS_KEPT
from models.speed.carried import carried_model
from recommender.admission.slice_book import SliceBook
from recommender.mig.choose import SlicePolicy

MODEL = "NVIDIA A100-SXM4-40GB"
HOUR_MS = 3_600_000
IDLE = {
    "power_watts": 60.0,
    "power_limit_watts": 400.0,
    "memory_copy_utilization_ratio": 0.0,
    "gpu_utilization_ratio": 0.02,
}
KEY = (0, "slab/0")


def profiles(*workloads: str, hours: float = 100.0) -> Columns:
    """Each uses a fiftieth of its GPU and 2 GiB of its memory: the smallest slice is more than enough."""
    arrays = empty_arrays(GPU_FIELDS, len(workloads))
    signals = IDLE | {"framebuffer_used_bytes": 2.0**31, "framebuffer_total_bytes": 40.0 * 2**30}
    for name, value in signals.items():
        arrays["gpu_signal_sum"][:, GPU_SIGNALS_KEPT.index(name)] = value
        arrays["gpu_signal_weight"][:, GPU_SIGNALS_KEPT.index(name)] = 1.0
    arrays["gpu_last_seen_ms"][:] = arrays["gpu_covered_ms"][:] = int(hours * HOUR_MS)
    arrays["gpu_framebuffer_peak"][:, 0] = to_peak16(np.array([2.0**31]))[0]
    arrays["gpu_count"][:] = 1
    arrays["gpu_model"][:] = code_of(MODEL)
    return Columns(GPU_FIELDS, list(workloads), arrays)


def node(*held: str, mig: tuple[MigInstance, ...] = (MigInstance("m1", "1g.5gb"),)) -> Node:
    gpu = Gpu("g", MODEL, 40 << 30, mig_enabled=True, mig=mig)
    allocations = tuple(Allocation(f"w{uuid}", "i", gpu_uuids=(uuid,)) for uuid in held)
    return Node("c", "n", 1, gpus=(gpu,), allocations=allocations, labels={"zone": "a"})


def book(min_hours: float = 24.0) -> SliceBook:
    return SliceBook(carried_model(), SlicePolicy(), min_hours)


def test_the_smallest_slice_that_is_enough_and_where_one_is_free() -> None:
    """1g.5gb of an A100 with 40 GB; the node's labels tell which pods may use it."""
    made = book()
    made.put_profiles(KEY, profiles("a"))
    made.put_node("c/n", node())
    made.settle()
    found = made.slice_of("a")
    assert found is not None
    assert (found.resource, found.profile, found.free) == ("nvidia.com/mig-1g.5gb", "1g.5gb", ({"zone": "a"},))
    assert 0.9 < found.speed_ratio <= 1.0


@pytest.mark.parametrize("gone", [node("m1"), node(mig=()), None])
def test_a_slice_that_is_held_or_gone_is_not_free(gone: Node | None) -> None:
    """Advice follows the nodes, though it was worked out before."""
    made = book()
    made.put_profiles(KEY, profiles("a"))
    made.put_node("c/n", node())
    made.settle()
    assert made.slice_of("a") is not None
    made.put_node("c/n", gone)
    made.settle()
    found = made.slice_of("a")
    assert found is not None
    assert found.free == ()


def test_a_workload_that_holds_a_slice_already_gets_no_other() -> None:
    """What a whole GPU would give it cannot be told from a slice."""
    made = book()
    made.put_profiles(KEY, profiles("wm1"))
    made.put_node("c/n", node("m1"))
    made.settle()
    assert made.slice_of("wm1") is None


def test_too_little_gpu_time_says_nothing() -> None:
    """23 hours, where 24 are asked for; and nothing of who never had a GPU or is gone from its slab."""
    made = book()
    made.put_profiles(KEY, profiles("a", hours=23))
    assert made.slice_of("a") is None
    made.put_profiles(KEY, profiles("a"))
    assert made.slice_of("a") is not None
    made.put_profiles(KEY, profiles("b"))
    assert (made.slice_of("a"), made.slice_of("nobody")) == (None, None)


def test_a_workload_is_forgotten_with_its_slab_and_not_with_one_that_it_has_left() -> None:
    """`a` moves from slab 0 to slab 1, `b` goes with all of slab 0."""
    made, other = book(), (0, "slab/1")
    made.put_profiles(KEY, profiles("a", "b"))
    made.put_profiles(other, profiles("a"))
    made.put_profiles(KEY, profiles("b"))
    assert (made.slice_of("a") is None, made.slice_of("b") is None) == (False, False)
    made.drop_profiles(KEY)
    assert (made.slice_of("a") is None, made.slice_of("b") is None) == (False, True)


def test_several_gpus_are_no_slice() -> None:
    """Slices cannot talk to each other."""
    two = profiles("a")
    made = book()
    made.put_profiles(KEY, replace(two, arrays={**two.arrays, "gpu_count": np.array([2], dtype=np.uint16)}))
    assert made.slice_of("a") is None
