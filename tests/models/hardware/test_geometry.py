"""MIG geometry against NVIDIA's own counts, and legality as a property."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hardware.geometry import (
    Slot,
    UnknownProfileError,
    best_start,
    conflict,
    free_starts,
    layouts,
    placed_layouts,
)
from models.hardware.mig_table import MIG_GPUS

A100, A30 = MIG_GPUS["A100-40"], MIG_GPUS["A30-24"]
WITHOUT_1GX2M = ["1g", "2g", "3g", "4g", "7g"]


def test_the_a100_has_the_nineteen_layouts_of_nvidias_guide() -> None:
    """Without 1gx2m: 14 multisets in 19 placements; with it 38 in 78. A30: 4 in 5."""
    assert (len(layouts(A100, WITHOUT_1GX2M)), len(placed_layouts(A100, WITHOUT_1GX2M))) == (14, 19)
    assert (len(layouts(A100)), len(placed_layouts(A100))) == (38, 78)
    assert (len(layouts(A30)), len(placed_layouts(A30))) == (4, 5)


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        ((Slot(0, "3g"), Slot(4, "3g")), None),
        ((Slot(0, "4g"), Slot(4, "3g")), None),
        ((Slot(4, "4g"),), "4g cannot start at memory slice 4"),
        ((Slot(0, "3g"), Slot(2, "1g")), "share memory slice 2"),
        ((Slot(0, "1g+me"), Slot(1, "1g+me")), "only one instance may hold the media engines"),
    ],
)
def test_a_layout_is_legal_or_says_why_not(layout: tuple[Slot, ...], why: str | None) -> None:
    """Two 3g use all eight memory slices and strand one compute slice: legal."""
    said = conflict(A100, layout)
    assert said is None if why is None else said is not None and why in said


def test_compute_slices_are_a_limit_of_their_own() -> None:
    """Four 1gx2m take 8 memory slices and 4 compute slices; 4g + 3g take 7 of 7; A30 2g + 2g + 1g would take 5 of 4."""
    assert conflict(A100, [Slot(start, "1gx2m") for start in (0, 2, 4, 6)]) is None
    assert conflict(A30, [Slot(0, "2g"), Slot(2, "2g")]) is None
    assert free_starts(A30, (Slot(0, "2g"), Slot(2, "2g")), "1g") == ()


def test_a_1g_goes_where_it_leaves_both_3g_places_free_as_long_as_it_can() -> None:
    """Slice 7 is no start of 1g; the first 1g goes to 6, and 3g can still start at 0."""
    assert best_start(A100, (), "1g") == 6
    assert 0 in free_starts(A100, (Slot(6, "1g"),), "3g")


def test_an_unknown_profile_names_those_that_exist() -> None:
    """`5g` is no size of an A100."""
    with pytest.raises(UnknownProfileError, match=r"1g\.5gb.*7g\.40gb"):
        A100.profile("5g")


@given(st.sampled_from(sorted(MIG_GPUS)), st.lists(st.integers(0, 10), max_size=9))
def test_filling_a_gpu_by_best_start_is_always_legal(board: str, picks: list[int]) -> None:
    """Whatever sizes are asked for in whatever order: the layout stays legal and within the GPU."""
    gpu, layout = MIG_GPUS[board], ()
    for pick in picks:
        key = gpu.profiles[pick % len(gpu.profiles)].key
        start = best_start(gpu, layout, key)
        layout = layout if start is None else (*layout, Slot(start, key))
    assert conflict(gpu, layout) is None
    counts = Counter(slot.key for slot in layout)
    assert all(counts[p.key] <= p.max_instances for p in gpu.profiles)


@pytest.mark.parametrize("board", sorted(MIG_GPUS))
def test_every_full_layout_is_legal_and_full(board: str) -> None:
    """Nothing can be added to a full layout, and the whole-GPU profile is one of them."""
    gpu = MIG_GPUS[board]
    found = layouts(gpu)
    assert (Slot(0, gpu.whole.key),) in found
    for layout in found:
        assert conflict(gpu, layout) is None
        assert not any(free_starts(gpu, layout, profile.key) for profile in gpu.sizes)
