"""Fragmentation is seen, and the advice frees a slot without stopping anybody."""

from __future__ import annotations

from hypothesis import event, given, settings
from hypothesis import strategies as st

from models.hardware.geometry import Slot, conflict
from recommender.mig.defrag import advise, fragmentation
from recommender.mig.demand import Instance
from recommender.mig.match import GpuState
from tests.recommender.mig.states import KIND, gpu, states


def test_three_1g_in_the_wrong_places_keep_every_3g_out() -> None:
    """1g at 0, 1 and 5: four compute and five memory slices are free, yet no 3g can start at 0 or 4."""
    seen = fragmentation(gpu("a", ("1g", 0, "x"), ("1g", 1, "y"), ("1g", 5, "z")), KIND)
    assert "3g" not in seen.fits
    assert "3g" in seen.blocked


def test_one_move_frees_the_3g() -> None:
    """z goes from 5 to 2 or 3; then 3g starts at 4."""
    advice = advise("3g", [gpu("a", ("1g", 0, "x"), ("1g", 1, "y"), ("1g", 5, "z"))], [KIND])
    assert advice is not None
    assert advice.slot == Slot(4, "3g")
    assert [(m.tenant, m.source.start, m.to.start in (2, 3)) for m in advice.moves] == [("z", 5, True)]


def test_no_move_is_advised_when_there_is_room() -> None:
    """An empty GPU takes a 4g as it is."""
    advice = advise("4g", [gpu("a", ("7g", 0, "x")), gpu("b")], [KIND])
    assert advice is not None
    assert (advice.gpu, advice.moves) == ("b", ())


def test_no_advice_when_nothing_helps() -> None:
    """One full GPU."""
    assert advise("3g", [gpu("a", ("7g", 0, "x"))], [KIND]) is None


def test_two_3g_strand_one_compute_slice() -> None:
    """All eight memory slices are taken, one of seven compute slices is left: 1/7."""
    seen = fragmentation(gpu("a", ("3g", 0, "x"), ("3g", 4, "y")), KIND)
    assert seen.stranded_ratio == 1 / 7
    assert seen.blocked == ()


@settings(max_examples=150, deadline=None)
@given(states(), st.sampled_from(["1g", "2g", "3g", "4g", "7g"]))
def test_following_the_advice_is_legal_at_every_step_and_makes_the_room(now: list[GpuState], key: str) -> None:
    """Create, then delete, move by move; at the end the slot can be created."""
    advice = advise(key, now, [KIND])
    live = {state.uuid: list(state.instances) for state in now}
    for move in advice.moves if advice else ():
        live[move.to_gpu].append(Instance(move.to, move.tenant))
        assert conflict(KIND.mig, [i.slot for i in live[move.to_gpu]]) is None
        live[move.gpu].remove(Instance(move.source, move.tenant))
    event(f"{len(advice.moves)} moves" if advice else "no advice")
    if advice:
        assert conflict(KIND.mig, [advice.slot, *(i.slot for i in live[advice.gpu])]) is None
