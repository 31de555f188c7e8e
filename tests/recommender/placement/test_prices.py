"""Bid prices say what a share of a GPU is worth when the mix of requests is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.placement.prices import share_prices, share_values
from recommender.placement.request import Mix
from tests.recommender.placement.clusters import CPU_ONLY, share, whole


def test_a_share_whose_rest_nobody_can_use_costs_the_whole_gpu() -> None:
    """Only 810 is asked for: one a GPU, the 190 beside it is lost, so 810 is worth 1000."""
    assert share_prices(Mix.of([share(810), whole(1)]), 100)[810] == pytest.approx(1000)


def test_shares_that_fill_a_gpu_are_worth_their_part_of_it() -> None:
    """Two of 500 fill a GPU."""
    assert share_prices(Mix.of([share(500), whole(1)]), 100)[500] == pytest.approx(500)


def test_a_third_is_worth_a_third_though_it_is_320() -> None:
    """Three of 320 fill a GPU but for 40 that nobody asks for."""
    assert share_prices(Mix.of([share(320), whole(1)]), 100)[320] == pytest.approx(1000 / 3)


def test_without_shares_there_are_no_prices_and_a_free_gpu_keeps_its_worth() -> None:
    """Whole GPUs and CPU pods only."""
    mix = Mix.of([whole(1), CPU_ONLY])
    assert share_prices(mix, 10) == {}
    assert share_values(mix, 10)[[0, 999, 1000]].tolist() == [0, 0, 1000]


def test_many_sizes_are_put_into_buckets() -> None:
    """90 sizes would make millions of patterns; rounded up to 50 milli there are at most 19 of 100 and more."""
    prices = share_prices(Mix.of([share(milli) for milli in range(100, 1000, 10)]), 100)
    assert 0 < len(prices) <= 19
    assert all(size % 50 == 0 for size in prices)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([110, 190, 250, 330, 470, 500, 650, 810]), min_size=1, max_size=20), st.integers(1, 500)
)
def test_more_free_room_is_never_worth_less(sizes: list[int], gpus: int) -> None:
    """The value table rises, from 0 at 0 to at least 1000 at a whole GPU."""
    value = share_values(Mix.of([share(size) for size in sizes]), gpus)
    assert value[0] == 0
    assert value[-1] >= 1000
    assert np.all(np.diff(value) >= -1e-9)
