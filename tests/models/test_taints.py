"""Taints and tolerations, against the rule as Kubernetes documents it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.taints import (
    CONDITIONS,
    CORDONED,
    EFFECTS,
    NOT_READY,
    Taint,
    Toleration,
    forbidding,
    mend_of,
    read_taint,
    read_toleration,
    state_of,
    united,
    unwelcome,
)

KEYS, VALUES = ("", "a", "b"), ("", "x", "y")
TAINTS = st.builds(Taint, st.sampled_from(KEYS[1:]), st.sampled_from(EFFECTS), st.sampled_from(VALUES))
TOLERATIONS = st.builds(
    Toleration,
    st.sampled_from(KEYS),
    st.sampled_from(("", "Equal", "Exists", "Gt")),
    st.sampled_from(VALUES),
    st.sampled_from(("", *EFFECTS)),
)


def documented(toleration: Toleration, taint: Taint) -> bool:
    """The concept page word for word: a toleration matches a taint if the keys are the same and the effects are the same, and
    the operator is Exists, or it is Equal and the values should be equal. It is Equal where none is said. Two special cases:
    an empty key with operator Exists matches all keys, values and effects asked; an empty effect matches all effects."""
    effects = [toleration.effect] if toleration.effect else list(EFFECTS)
    keys = [toleration.key] if toleration.key else [taint.key]
    operator = toleration.operator or "Equal"
    return any(
        (key, effect) == (taint.key, taint.effect)
        and {"Exists": True, "Equal": toleration.value == taint.value}.get(operator, False)
        for key in keys
        for effect in effects
    )


@given(TOLERATIONS, TAINTS)
def test_a_toleration_matches_as_documented(toleration: Toleration, taint: Taint) -> None:
    """Every operator, with and without key, value and effect; an operator that is not known tolerates nothing."""
    assert toleration.tolerates(taint) is documented(toleration, taint)


@given(st.lists(TAINTS), st.lists(TOLERATIONS))
def test_each_taint_needs_a_toleration_of_its_own(taints: list[Taint], tolerations: list[Toleration]) -> None:
    """Those without one forbid, or, with PreferNoSchedule, only dissuade."""
    bare = [taint for taint in taints if not any(documented(one, taint) for one in tolerations)]
    assert list(forbidding(taints, tolerations)) == [t for t in bare if t.effect != "PreferNoSchedule"]
    assert list(unwelcome(taints, tolerations)) == [t for t in bare if t.effect == "PreferNoSchedule"]


@given(st.lists(TAINTS), st.lists(TOLERATIONS), TOLERATIONS)
def test_one_toleration_more_never_closes_a_node(
    taints: list[Taint], tolerations: list[Toleration], more: Toleration
) -> None:
    """What forbids afterwards forbade before."""
    assert set(forbidding(taints, [*tolerations, more])) <= set(forbidding(taints, tolerations))


@given(st.lists(TAINTS), st.lists(TAINTS))
def test_a_node_has_one_taint_of_a_key_and_effect(one: list[Taint], other: list[Taint]) -> None:
    """The first source wins over the next; nothing else is lost."""
    found = united([one, other])
    names = [(taint.key, taint.effect) for taint in found]
    assert len(names) == len(set(names))
    assert set(names) == {(taint.key, taint.effect) for taint in [*one, *other]}
    assert set(found) <= {*one, *other}


@pytest.mark.parametrize(
    ("taint", "written"),
    [
        (Taint("nvidia.com/gpu", "NoSchedule", "present"), "nvidia.com/gpu=present:NoSchedule"),
        (Taint("dedicated", "NoExecute"), "dedicated:NoExecute"),
    ],
)
def test_a_taint_is_written_as_kubectl_takes_it(taint: Taint, written: str) -> None:
    """So that it can be pasted behind `kubectl taint node`."""
    assert str(taint) == written


@given(TAINTS)
def test_what_is_written_can_be_read(taint: Taint) -> None:
    """By the settings of a collector and in a trace; the toleration written alike tolerates the taint."""
    assert read_taint(str(taint)) == taint
    assert read_toleration(str(taint)).tolerates(taint)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("*", Toleration(operator="Exists")),
        ("gpu", Toleration("gpu", "Exists")),
        ("gpu:NoExecute", Toleration("gpu", "Exists", "", "NoExecute")),
        ("gpu=a:NoSchedule", Toleration("gpu", "Equal", "a", "NoSchedule")),
        ("gpu=a", Toleration("gpu", "Equal", "a")),
    ],
)
def test_a_toleration_in_short(text: str, meant: Toleration) -> None:
    """What is not written counts as any."""
    assert read_toleration(text) == meant


@pytest.mark.parametrize("text", ["", "gpu", "gpu=yes", ":NoSchedule", "=x:NoSchedule", "gpu:noschedule"])
def test_what_is_no_taint_is_refused(text: str) -> None:
    """With how it is written."""
    with pytest.raises(ValueError, match="KEY=VALUE:EFFECT"):
        read_taint(text)


@pytest.mark.parametrize("text", ["", ":NoSchedule", "=x", "gpu:always"])
def test_what_is_no_toleration_is_refused(text: str) -> None:
    """With how it is written."""
    with pytest.raises(ValueError, match="KEY=VALUE:EFFECT"):
        read_toleration(text)


def test_a_state_is_called_by_its_name_and_has_its_mend() -> None:
    """A cordon is opened by hand, a node that is not ready has to be looked at, any other taint is tolerated."""
    gpu = Taint("nvidia.com/gpu", "NoSchedule", "present")
    assert state_of([gpu, CORDONED]) == "cordoned and tainted nvidia.com/gpu=present:NoSchedule"
    assert mend_of([CORDONED, gpu]) == "`kubectl uncordon` opens it, add a toleration to use it"
    assert mend_of([NOT_READY]) == "`kubectl describe node` says why"
    assert state_of([NOT_READY, Taint(NOT_READY.key, "NoExecute")]) == "not ready"


def test_every_condition_has_a_word_of_its_own() -> None:
    """No condition is told as a taint that somebody set."""
    words = [state_of([taint]) for taint in CONDITIONS.values()]
    assert len(set(words)) == len(words) == 6
    assert not any("tainted" in word for word in words)
