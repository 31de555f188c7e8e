"""Counters into growth: how much a counter grew between two reads, whatever happened to it in between."""

from __future__ import annotations

from collections.abc import Sequence

Count = int | None
"""A counter's value; None when it could not be read."""


def growth(before: int, now: int, bits: int = 64) -> int:
    """How much a counter grew from `before` to `now`; never negative.

    A counter that went down was either reset (its owner restarted) or wrapped at 2**bits. It is taken for a wrap when
    it was in the top quarter of its range and is now in the bottom quarter; a reset counts what has come since zero.
    What a reset counter gained between the read before and the reset cannot be known and is not made up.
    """
    if now >= before:
        return now - before
    size = 1 << bits
    if before >= size - size // 4 and now < size // 4:
        return now + size - before
    return now


def grown(before: Sequence[Count], now: Sequence[Count]) -> list[Count]:
    """`growth` of 64-bit counters in pairs; None where either value is missing: the first read gives no rate."""
    return [
        None if a is None or b is None else b - a if b >= a else growth(a, b) for a, b in zip(before, now, strict=True)
    ]
