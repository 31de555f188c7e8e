"""MIG advice in words, for the reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sizewise.units import share

Body = Mapping[str, Any]


def speed_of(mig: Body) -> float | None:
    """Expected on the slice that is advised."""
    return next((s["speed_ratio"] for s in mig["speeds"] if s["mig_profile"] == mig["mig_profile"]), None)


def slice_short(mig: Body) -> str:
    """What to give it in a word: the slice, `whole`, or `?` where it is not decided."""
    said: dict[str, str] = {"slice": mig["mig_profile"], "whole": "whole", "refused": "whole"}
    return said.get(mig["action"], "?")


def slice_line(mig: Body) -> str:
    """What to give it in a line, with its reason."""
    if mig["action"] == "refused":
        return "no slice: " + "; ".join(reason["sentence"] for reason in mig["reasons"])
    if mig["action"] == "probe":
        return f"the signals do not decide{_probe(mig) or ': measure it on a slice'}"
    if mig["action"] == "whole":
        return f"the whole GPU, for a slowdown of at most {share(mig['max_slowdown_ratio'])}{_probe(mig)}"
    lowest = min(s["lowest_ratio"] for s in mig["speeds"] if s["mig_profile"] == mig["mig_profile"])
    return f"{mig['mig_profile']} keeps {share(speed_of(mig))} of its speed, at worst {share(lowest)}{_probe(mig)}"


def _probe(mig: Body) -> str:
    if not mig["probe"]:
        return ""
    if mig["action"] == "slice" and mig["safe"]:
        return f"; {mig['probe']} may do: run it there once"
    return f"; run it once on {mig['probe']} to be sure"
