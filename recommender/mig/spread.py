"""How far a predicted slice speed may be off, as the time that is lost on the slice: 1/speed - 1.

Errors of it are proportions: of a loss of 2 % half or twice as much is 1 or 4 %, of one of 60 % it is 30 or 120 %. Under
2 % of lost time nothing can be told from nothing, so that much stands beside every loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, hypot, log

_LEAST_LOSS = 0.02
"""What steps of one job scatter by when nothing changes."""

LEARNED = 1.6
"""Of four predictions in five for model families that were left out, the measured loss is within this factor (MISO, 113
pairs: 1.59). Without deepspeech2, whose steps have two lengths, 1.44."""

CARRIED_OVER = 1.4
"""Further factor on a board that the model was not trained on. A share of compute or of bandwidth means the same on every
board, but a share of power does not: dense bf16 FLOP/s per watt of the boards that MIG cuts are 0.6 to 1.8 times
those of an A100-PCIe-40. A power share off by 1.8 moves the loss by 1.4 for four in five of MISO's predictions."""


def together(*factors: float) -> float:
    """Errors that know nothing of each other: their logarithms add up in squares. 1.6 and 1.4 are 1.78."""
    return exp(hypot(*(log(factor) for factor in factors)))


def spread(speeds: Mapping[str, float], factor: float) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """(lowest, highest) speed per profile when the loss of time is up to `factor` times more or less than predicted."""
    return (
        {key: _speed(_loss(speed) * factor) for key, speed in speeds.items()},
        {key: _speed(_loss(speed) / factor) for key, speed in speeds.items()},
    )


def _loss(speed: float) -> float:
    return 1 / speed - 1 + _LEAST_LOSS


def _speed(loss: float) -> float:
    return 1 / (1 + max(loss - _LEAST_LOSS, 0.0))
