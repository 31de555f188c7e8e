"""Foreign values into ours: no sentinel, base units, inside the signal's range."""

from __future__ import annotations

import math

from collector.names.foreign import Foreign
from models.signals import SIGNALS

FP64_BLANK = 140737488355328.0
"""dcgm_structs.h: 2^47. The next three integers mean not found, not supported, not permitted. INT32_BLANK (0x7ffffff0)
is compared exactly, as 2 GiB-odd values of byte rates are honest; INT64_BLANK is far above FP64_BLANK."""
INT32_BLANKS = frozenset(float(0x7FFFFFF0 + i) for i in range(16))

_HIGH = {(kind, signal.name): signal.high for kind, signals in SIGNALS.items() for signal in signals}
RATIOS = {signal.name for signals in SIGNALS.values() for signal in signals if signal.unit == "ratio"}


def is_blank(value: float) -> bool:
    """Whether DCGM says by this value that it has none."""
    return not math.isfinite(value) or value >= FP64_BLANK or value in INT32_BLANKS


def in_our_unit(foreign: Foreign, value: float) -> float | None:
    """The value of a level in the signal's unit; None when it is none: blank, NaN, or negative."""
    if value < 0 or not math.isfinite(value) or (foreign.system == "dcgm" and is_blank(value)):
        return None
    return value * foreign.scale


def bounded(foreign: Foreign, value: float) -> tuple[float | None, bool]:
    """The value inside the signal's range, and whether it had to be clamped. Ratios just above 1 come from clocks that
    differ and are 1; anything else over the range is no measurement and is left out."""
    high = _HIGH[foreign.kind, foreign.signal]
    if value <= high:
        return value, False
    return (high if foreign.signal in RATIOS else None), True
