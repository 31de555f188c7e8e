"""How deep JSON is nested."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.admission.depth import deeper_than

texts = st.text(alphabet='ab[]{}"\\ ', max_size=8)
trees = st.recursive(
    texts, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3), max_leaves=30
)


def depth_of(tree: Any) -> int:
    if isinstance(tree, dict):
        return 1 + max(map(depth_of, tree.values()), default=0)
    return 1 + max(map(depth_of, tree), default=0) if isinstance(tree, list) else 0


@given(trees)
def test_the_depth_is_that_of_the_tree(tree: Any) -> None:
    """Brackets in strings, escaped quotes and backslashes do not count."""
    text, depth = json.dumps(tree).encode(), depth_of(tree)
    assert not deeper_than(text, max(depth, 1))
    assert depth < 2 or deeper_than(text, depth - 1)


@pytest.mark.parametrize("text", [b"[" * 10, b"]" * 5 + b"[" * 10, b'{"a":' * 10])
def test_a_bracket_without_a_partner_counts(text: bytes) -> None:
    """A broken text is too deep as soon as it opens more than may be open."""
    assert deeper_than(text, 9)
