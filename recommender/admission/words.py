"""What is told to whoever creates the pod: `kubectl` prints a warning as it comes. At most 120 characters each, because
Kubernetes asks for that and may cut what is over 256."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 120
MOST = 8
"""Warnings of one pod. All of them together may have 4,096 characters."""
_NAME = 32


def changed(container: str, changes: Sequence[str], applied: bool) -> str:
    verb = "set" if applied else "would set"
    return _cut(f"sizewise {verb} {_short(container)}: {', '.join(changes)}")


def left(container: str, what: str, why: str) -> str:
    return _cut(f"sizewise left {_short(container)} {what} alone: {why}")


def note(text: str) -> str:
    return _cut(f"sizewise: {text}")


def step(name: str, before: str, after: str) -> str:
    return f"{name} {before} -> {after}"


def at_most(warnings: Sequence[str]) -> list[str]:
    """Without doubles; what is over MOST is counted."""
    told = list(dict.fromkeys(warnings))
    if len(told) <= MOST:
        return told
    return [*told[: MOST - 1], note(f"and {len(told) - MOST + 1} more of this pod")]


def _short(name: str) -> str:
    """With its end, by which the containers of a pod often differ."""
    half = _NAME // 2
    return name if len(name) <= _NAME else f"{name[: half - 1]}…{name[-half:]}"


def _cut(text: str) -> str:
    clean = text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)
    return clean if len(clean) <= LONGEST else f"{clean[: LONGEST - 1]}…"
