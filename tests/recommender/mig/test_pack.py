"""Packing: always legal, covers what it says it covers, and no cheaper packing exists on small cases."""

from __future__ import annotations

from collections import Counter
from itertools import combinations_with_replacement

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.hardware.geometry import conflict, layouts
from models.hardware.mig_table import MIG_GPUS
from recommender.mig.demand import Demand, GpuKind, Packing, Size
from recommender.mig.greedy import greedy
from recommender.mig.pack import InvalidDemandError, PackSettings, pack

A100 = GpuKind("a100", MIG_GPUS["A100-80"])
A30 = GpuKind("a30", MIG_GPUS["A30-24"])
KEYS = ("1g", "2g", "3g", "4g", "7g")


def at_least(name: str, key: str, amount: float = 1) -> Demand:
    """A workload that runs on `key` or anything larger."""
    return Demand(name, amount, {Size("a100", k): 1.0 for k in KEYS[KEYS.index(key) :]})


def covered(packing: Packing, demand: Demand) -> float:
    return sum(
        demand.gives[Size(g.kind, i.slot.key)] for g in packing.gpus for i in g.instances if i.tenant == demand.name
    )


demand_lists = st.lists(
    st.builds(
        lambda amount, rates: (amount, dict(zip(KEYS, sorted(rates), strict=True))),
        st.floats(0.5, 60),
        st.lists(st.floats(0.5, 20), min_size=5, max_size=5),
    ),
    min_size=1,
    max_size=6,
).map(
    lambda rows: [
        Demand(f"s{n}", amount, {Size("a100", k): r for k, r in rates.items()})
        for n, (amount, rates) in enumerate(rows)
    ]
)


def test_seven_of_the_smallest_share_one_gpu_and_an_eighth_needs_another() -> None:
    """An A100 holds seven 1g."""
    assert len(pack([at_least("a", "1g", 7)], [A100]).gpus) == 1
    assert len(pack([at_least("a", "1g", 8)], [A100]).gpus) == 2


def test_two_3g_and_a_1g_do_not_share_a_gpu() -> None:
    """7 compute slices are enough (3 + 3 + 1) but two 3g take all eight memory slices."""
    packing = pack([at_least("a", "3g", 2), at_least("b", "1g")], [A100])
    assert len(packing.gpus) == 2
    assert packing.proven


def test_fewest_slices_is_not_fewest_gpus() -> None:
    """Three tenants of 3g: 9 slices would be 1.3 GPUs, and two GPUs it is; four of 3g fill the same two."""
    assert len(pack([at_least("a", "3g", 3)], [A100]).gpus) == 2
    assert len(pack([at_least("a", "3g", 4)], [A100]).gpus) == 2


def test_a_cheaper_kind_is_used_as_far_as_it_goes() -> None:
    """Two small tenants fit the one A30 at cost 0.3; a tenant that only an A100 carries goes there."""
    small = Demand("small", 2, {Size("a30", "2g"): 1.0, Size("a100", "2g"): 1.0})
    kinds = [GpuKind("a30", A30.mig, count=1, cost=0.3), A100]
    packing = pack([small, at_least("large", "7g")], kinds)
    assert sorted(gpu.kind for gpu in packing.gpus) == ["a100", "a30"]
    assert packing.cost == pytest.approx(1.3)


def test_too_few_gpus_is_said_and_the_rest_is_placed() -> None:
    """Three whole-GPU tenants on two GPUs: two run, one is named."""
    packing = pack([at_least(f"t{n}", "7g") for n in range(3)], [GpuKind("a100", A100.mig, count=2)])
    assert (len(packing.gpus), sum(packing.unplaced.values()), packing.proven) == (2, 1.0, False)
    assert "proven" in packing.reasons[0]


def test_out_of_time_it_is_greedy_and_says_so() -> None:
    """With no time at all there is still a legal packing, not called optimal."""
    demands = [at_least(f"t{n}", key) for n, key in enumerate(("1g", "2g", "3g", "3g", "4g"))]
    packing = pack(demands, [A100], PackSettings(time_limit_s=0.0))
    assert all(covered(packing, demand) >= 1 for demand in demands)
    assert packing.proven == (packing.method == "highs")
    if packing.method == "greedy":
        assert packing.reasons == ("time was up before a packing was found",)


def test_a_demand_that_no_size_serves_is_named() -> None:
    """It does not stop the others."""
    packing = pack([Demand("huge", 1, {}), at_least("a", "1g")], [A100])
    assert packing.unplaced == {"huge": 1}
    assert len(packing.gpus) == 1
    assert not packing.proven


@pytest.mark.parametrize("demands", [[at_least("a", "1g"), at_least("a", "2g")], [at_least("a", "1g", 0)]])
def test_demands_that_cannot_be_meant_are_refused(demands: list[Demand]) -> None:
    """A name that stands twice, an amount of 0."""
    with pytest.raises(InvalidDemandError, match="'a'"):
        pack(demands, [A100])


def test_nothing_asked_is_nothing_used() -> None:
    """No demand: no GPU, proven."""
    assert pack([], [A100]) == Packing(
        (), {}, 0.0, 0.0, True, "highs", ("proven: no packing of these demands costs less",)
    )


@settings(max_examples=40, deadline=None)
@given(demand_lists)
def test_a_packing_is_legal_covers_all_and_costs_at_most_what_greedy_costs(demands: list[Demand]) -> None:
    """For the solver and for greedy: every layout legal, every amount reached."""
    exact, quick = pack(demands, [A100]), greedy(demands, [A100], {})
    for packing in (exact, quick):
        assert all(conflict(A100.mig, gpu.layout) is None for gpu in packing.gpus)
        assert all(covered(packing, demand) >= demand.amount * (1 - 1e-9) for demand in demands)
        assert not packing.unplaced
    assert exact.proven
    assert exact.cost <= quick.cost


@settings(max_examples=20, deadline=None)
@given(demand_lists, st.floats(1.0, 3.0))
def test_more_demand_never_gets_fewer_gpus(demands: list[Demand], factor: float) -> None:
    """The optimum of a problem is at most that of one that asks for more."""
    more = [Demand(d.name, d.amount * factor, d.gives) for d in demands]
    assert pack(demands, [A100]).cost <= pack(more, [A100]).cost


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(KEYS), min_size=1, max_size=6))
def test_the_solver_agrees_with_trying_everything(keys: list[str]) -> None:
    """Workloads with a smallest size each, on at most three GPUs: every multiset of layouts is tried."""
    packing = pack([at_least(f"w{n}", key) for n, key in enumerate(keys)], [A100])
    shapes = [Counter(slot.key for slot in layout) for layout in layouts(A100.mig, KEYS)]
    enough = (
        count
        for count in range(1, 7)
        for chosen in combinations_with_replacement(shapes, count)
        if _carries(sum(chosen, Counter()), keys)
    )
    assert len(packing.gpus) == next(enough)


def _carries(slots: Counter[str], keys: list[str]) -> bool:
    """Largest need first onto the smallest slot that is large enough: optimal, because sizes are in one order."""
    for key in sorted(keys, key=KEYS.index, reverse=True):
        fit = next((k for k in KEYS[KEYS.index(key) :] if slots[k]), None)
        if fit is None:
            return False
        slots[fit] -= 1
    return True
