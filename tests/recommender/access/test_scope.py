"""Scopes: what is named is allowed, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.access.scope import EVERYTHING, Scope, ScopeError, namespace_of, namespace_text

names = st.sampled_from(("prod", "lab", "shop", "a/b", "é", "*x", ""))
parts = st.one_of(st.just("*"), names.filter(lambda name: name != "" and "*" not in name))


def quoted(part: str) -> str:
    return part if part == "*" else namespace_text(part, "").rstrip("/")


@given(st.lists(st.tuples(parts, parts), min_size=1), st.tuples(names, names), st.tuples(names, names))
def test_what_is_picked_from_an_index_is_what_is_seen(
    patterns: list[tuple[str, str]], one: tuple[str, str], other: tuple[str, str]
) -> None:
    """`pick` goes by exact names; to compare every name with every pattern finds the same."""
    scope = Scope.of(["read"], [f"{quoted(c)}/{quoted(n)}" for c, n in patterns])
    index: dict[str, dict[str, tuple[str, str]]] = {}
    for cluster, namespace in (one, other):
        index.setdefault(cluster, {})[namespace] = (cluster, namespace)
    expected = {pair for pair in (one, other) if any(_fits(pair, pattern) for pattern in patterns)}
    assert list(scope.pick(index)) == sorted(expected)
    assert all(scope.sees_cluster(cluster) for cluster, _ in expected)


def _fits(pair: tuple[str, str], pattern: tuple[str, str]) -> bool:
    return pair != ("", "") and all(wanted in ("*", name) for wanted, name in zip(pattern, pair, strict=True))


def test_scopes_that_allow_the_same_are_equal() -> None:
    """Order and repeats do not matter; * swallows the rest."""
    assert Scope.of(["read", "place"], ["b/x", "a/x", "b/x"]) == Scope.of(["place", "read"], ["a/x", "b/x"])
    assert Scope.of(["read"], ["a/x", "*"]) == Scope.of(["read"], ["*/*"])
    assert Scope.of(["read"], ["*"]).everywhere
    assert not Scope.of(["read"], ["*/x", "a/*"]).everywhere


@pytest.mark.parametrize("pattern", ["", "/", "a", "a/", "/b", "a/b/c", "a/b*", "*b/c", "a*", "**/x"])
def test_a_pattern_of_another_form_is_refused(pattern: str) -> None:
    """No prefixes: `team-*` would allow whoever calls a namespace so."""
    with pytest.raises(ScopeError, match="CLUSTER/NAMESPACE"):
        Scope.of(["read"], [pattern])


def test_a_scope_of_nothing_and_an_unknown_verb_are_refused() -> None:
    with pytest.raises(ScopeError, match="no verbs given"):
        Scope.of([], ["a/b"])
    with pytest.raises(ScopeError, match="no namespaces given"):
        Scope.of(["read"], [])
    with pytest.raises(ScopeError, match="verb 'write' does not exist"):
        Scope.of(["write"], ["a/b"])


def test_metrics_need_every_namespace() -> None:
    """/metrics cannot be cut to some namespaces, so there the verb alone does not do."""
    assert Scope.of(["metrics"], ["*"]).may("metrics")
    assert not Scope.of(["metrics"], ["*/shop", "prod/*"]).may("metrics")
    assert EVERYTHING.may("metrics")
    assert not Scope.of(["read"], ["*"]).may("metrics")


def test_ids_of_foreign_forms_are_in_no_namespace() -> None:
    cluster, namespace = namespace_of("no-namespace")
    index = {cluster: {namespace: "no-namespace", "shop": "one"}}
    assert list(Scope.of(["read"], ["*/*", "*/shop"]).pick(index)) == ["one"]
    assert list(Scope.of(["read"], ["*/shop", "prod/*"]).pick(index)) == ["one"]
