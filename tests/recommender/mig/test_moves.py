"""Moves: at every step the layouts are legal and every tenant that runs keeps running."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.hardware.geometry import Slot, conflict
from recommender.mig.demand import Demand, Instance, PackedGpu, Packing, Size
from recommender.mig.match import GpuState, TooFewGpusError, match
from recommender.mig.moves import Moves, plan_moves
from recommender.mig.pack import pack
from tests.recommender.mig.states import KEYS, KIND, gpu, states


def check(now: list[GpuState], target: list[GpuState], moves: Moves) -> None:
    """Play the steps: legal all the time, nobody stopped, and the plan reached on every GPU that is not blocked."""
    live = {state.uuid: set(state.instances) for state in now}
    running = {i.tenant for state in now for i in state.instances if i.tenant}
    wanted = {i.tenant for state in target for i in state.instances}
    stays = {
        (s.uuid, i) for s, t in zip(now, target, strict=True) for i in s.instances if i in t.instances and i.tenant
    }
    for step in moves.steps:
        instance = Instance(step.slot, step.tenant)
        assert (step.gpu, instance) not in stays or moves.blocked or any(s.parked for s in moves.steps)
        (live[step.gpu].add if step.action == "create" else live[step.gpu].remove)(instance)
        assert conflict(KIND.mig, [i.slot for i in live[step.gpu]]) is None
        assert running & wanted <= {i.tenant for instances in live.values() for i in instances}
    for state in target:
        assert state.uuid in moves.blocked or live[state.uuid] == set(state.instances)


def test_a_tenant_is_created_on_its_new_slot_before_the_old_one_goes() -> None:
    """GPU b is emptied: create on a, then delete on b."""
    now = [gpu("a", ("3g", 0, "x")), gpu("b", ("3g", 0, "y"))]
    target = [gpu("a", ("3g", 0, "x"), ("3g", 4, "y")), gpu("b")]
    moves = plan_moves(now, target, [KIND])
    assert [(s.action, s.gpu, s.tenant) for s in moves.steps] == [("create", "a", "y"), ("delete", "b", "y")]
    check(now, target, moves)


def test_a_swap_goes_through_a_free_slot() -> None:
    """x and y change places on two full GPUs; the third GPU parks one of them."""
    now = [gpu("a", ("7g", 0, "x")), gpu("b", ("7g", 0, "y")), gpu("c")]
    target = [gpu("a", ("7g", 0, "y")), gpu("b", ("7g", 0, "x")), gpu("c")]
    moves = plan_moves(now, target, [KIND])
    assert not moves.blocked
    assert [s.parked for s in moves.steps].count(True) == 1
    check(now, target, moves)


def test_a_swap_without_any_room_is_handed_back_and_stops_nobody() -> None:
    """Two full GPUs and no third: no step at all, and the reason."""
    now = [gpu("a", ("7g", 0, "x")), gpu("b", ("7g", 0, "y"))]
    target = [gpu("a", ("7g", 0, "y")), gpu("b", ("7g", 0, "x"))]
    moves = plan_moves(now, target, [KIND])
    assert (moves.steps, moves.blocked) == ((), ("a", "b"))
    assert "free one GPU" in moves.reason


def test_a_free_instance_is_deleted_to_make_room() -> None:
    """A 1g without tenant stands where the 3g shall go."""
    now, target = [gpu("a", ("1g", 2, ""))], [gpu("a", ("3g", 0, "x"))]
    moves = plan_moves(now, target, [KIND])
    assert [s.action for s in moves.steps] == ["delete", "create"]


def test_matching_keeps_what_can_stay() -> None:
    """The plan has y's GPU first and other starts; y and z stay where they are, and nothing moves."""
    now = [gpu("a", ("7g", 0, "x")), gpu("b", ("3g", 4, "y"), ("1g", 0, "z"))]
    plan = Packing(
        (
            PackedGpu("a100", (Instance(Slot(0, "3g"), "y"), Instance(Slot(4, "1g"), "z"))),
            PackedGpu("a100", (Instance(Slot(0, "7g"), "x"),)),
        ),
        {}, 2.0, 2.0, True, "highs",
    )  # fmt: skip
    target = match(plan, now, [KIND])
    assert [set(s.instances) for s in target] == [set(s.instances) for s in now]
    assert plan_moves(now, target, [KIND]).steps == ()


def test_a_plan_larger_than_the_inventory_is_refused() -> None:
    """Two GPUs planned, one there."""
    whole = PackedGpu("a100", (Instance(Slot(0, "7g"), "x"),))
    plan = Packing((whole, whole), {}, 2.0, 2.0, True, "highs")
    with pytest.raises(TooFewGpusError, match="2 GPUs of kind 'a100'"):
        match(plan, [gpu("a")], [KIND])


@settings(max_examples=60, deadline=None)
@given(states())
def test_repacking_what_runs_never_breaks_it(now: list[GpuState]) -> None:
    """Pack the running tenants anew, match to the GPUs of today, move: legal and live at every step."""
    running = [i for state in now for i in state.instances]
    demands = [Demand(i.tenant, 1, {Size("a100", k): 1.0 for k in KEYS[KEYS.index(i.slot.key) :]}) for i in running]
    packing = pack(demands, [replace(KIND, count=len(now))])
    target = list(match(packing, now, [KIND]))
    check(now, target, plan_moves(now, target, [KIND]))


@settings(max_examples=60, deadline=None)
@given(states(), st.randoms(use_true_random=False))
def test_any_plan_is_reached_or_handed_back_with_everyone_running(now: list[GpuState], random: Random) -> None:
    """The plan is the same GPUs in another order: swaps and cycles of every kind."""
    contents = [state.instances for state in now]
    random.shuffle(contents)
    target = [replace(state, instances=instances) for state, instances in zip(now, contents, strict=True)]
    check(now, target, plan_moves(now, target, [KIND]))


def test_replicas_move_one_by_one_where_room_is_short() -> None:
    """Four replicas with a GPU each, one free GPU, two of them to share each of two GPUs: all new ones at once would need two
    free GPUs. One for one it is done, and four replicas stand all the time."""
    now = [gpu(name, ("7g", 0, "x")) for name in "abcd"] + [gpu("e")]
    target = [gpu("e", ("3g", 0, "x"), ("3g", 4, "x")), gpu("a", ("3g", 0, "x"), ("3g", 4, "x"))]
    plan = [next((t for t in target if t.uuid == state.uuid), gpu(state.uuid)) for state in now]
    assert plan_moves(now, plan, [KIND]).blocked
    moves = plan_moves(now, plan, [KIND], alike={"x"})
    assert not moves.blocked
    check(now, plan, moves)
    assert fewest(now, moves, "x") == 4


def fewest(now: list[GpuState], moves: Moves, tenant: str) -> int:
    """Least number of its instances at any time."""
    count = sum(i.tenant == tenant for state in now for i in state.instances)
    counts = [count := count + (1 if step.action == "create" else -1) for step in moves.steps if step.tenant == tenant]
    return min(counts, default=count)


@settings(max_examples=60, deadline=None)
@given(states(), st.randoms(use_true_random=False))
def test_replicas_are_never_fewer_than_now_or_wanted(now: list[GpuState], random: Random) -> None:
    """All instances are replicas of one workload, and the plan is the same GPUs in another order: none is missing in between."""
    now = [replace(s, instances=tuple(replace(i, tenant="x") for i in s.instances)) for s in now]
    contents = [state.instances for state in now]
    random.shuffle(contents)
    target = [replace(state, instances=instances) for state, instances in zip(now, contents, strict=True)]
    moves = plan_moves(now, target, [KIND], alike={"x"})
    check(now, target, moves)
    assert fewest(now, moves, "x") == sum(len(state.instances) for state in now)
