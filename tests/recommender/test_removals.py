"""Who is gone, by namespace, from one message to the next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recommender.removals import Removals, flat

NAMES = [f"{cluster}/{namespace}/Job/{n}/x" for cluster in "ab" for namespace in "cd" for n in range(2)] + ["foreign"]
MOST = 3


@given(st.lists(st.sets(st.sampled_from(NAMES)), max_size=12))
def test_it_holds_what_a_plain_list_would(steps: list[set[str]]) -> None:
    """Each step says who is there: who was and is not is gone, who comes is not. The oldest over three are forgotten, and
    what was handed out before does not change."""
    removals, there, gone = Removals(), set[str](), dict[str, int]()
    handed: list[tuple[object, dict[str, int]]] = []
    for offset, here in enumerate(steps, 1):
        left = sorted(there - here)
        removals.change(sorted(here), left, offset)
        gone = {name: at for name, at in gone.items() if name not in here} | dict.fromkeys(left, offset)
        forgotten = list(gone)[: max(0, len(gone) - MOST)]
        assert removals.keep(MOST) == max((gone[name] + 1 for name in forgotten), default=0)
        gone = {name: at for name, at in gone.items() if name not in forgotten}
        assert dict(flat(removals.now)) == gone
        handed.append((removals.now, dict(gone)))
        there = here
    for now, was in handed:
        assert dict(flat(now)) == was  # type: ignore[arg-type]  # as `flat` takes it


def test_a_namespace_that_nothing_happened_in_is_not_copied() -> None:
    removals = Removals()
    removals.change([], ["a/c/Job/0/x", "a/d/Job/0/x"], 1)
    before = removals.now["a"]["d"]
    removals.change([], ["a/c/Job/1/x"], 2)
    assert removals.now["a"]["d"] is before
    removals.change(["a/d/Job/0/x"], [], 3)
    assert list(removals.now["a"]) == ["c"]
