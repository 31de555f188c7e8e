"""Quantities for people: 250m and 1.5 cores, 640 MiB, 3.2 GiB."""

from __future__ import annotations

UNKNOWN = "-"
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def cores(value: float | None, signed: bool = False) -> str:
    """Three digits at most; under one core in millicores, as Kubernetes writes them."""
    if value is None:
        return UNKNOWN
    sign = _sign(value, signed)
    size = abs(value)
    if size < 0.9995:
        return f"{sign}{_short(size * 1000)}m" if round(size, 7) else "0"
    return sign + _short(size)


def size(value: float | None, signed: bool = False) -> str:
    """Bytes in the largest binary unit that leaves a number of at least 1."""
    if value is None:
        return UNKNOWN
    sign, left, unit = _sign(value, signed), abs(value), 0
    while left >= 1023.5 and unit < len(_BINARY) - 1:
        left, unit = left / 1024, unit + 1
    return f"{sign}{_short(left)} {_BINARY[unit]}" if round(left, 7) else "0"


def share(ratio: float | None) -> str:
    if ratio is None:
        return UNKNOWN
    return "<1%" if 0 < ratio < 0.01 else f"{ratio:.0%}"


def duration(hours: float) -> str:
    """The largest unit of which there is at least one: 45 s, 12 min, 3.5 h, 6 d."""
    seconds = hours * 3600
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{_short(seconds / length)} {unit}"
    return f"{_short(seconds)} s"


def _short(value: float) -> str:
    """At most three digits, except that whole numbers keep all of theirs."""
    if value >= 99.5:
        return f"{value:.0f}"
    text = f"{value:.1f}" if value >= 9.95 else f"{value:.2f}"
    return text.rstrip("0").rstrip(".")


def _sign(value: float, signed: bool) -> str:
    return "-" if value < 0 else "+" if signed and value > 0 else ""
