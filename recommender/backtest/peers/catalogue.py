"""Which peers are replayed for a resource, and which of them the figures compare with."""

from __future__ import annotations

from recommender.backtest.peers.autopilot import moving_window
from recommender.backtest.peers.autopilot_ml import settings
from recommender.backtest.peers.simple import krr_cpu, krr_memory, plain
from recommender.backtest.peers.vpa.policy import Vpa
from recommender.backtest.replay import SizingPolicy
from recommender.backtest.usage import Resource


def peers(resource: Resource) -> list[SizingPolicy]:
    """Fresh policies for one replay."""
    sound = [Vpa("target", sound=True), Vpa("upper", sound=True)] if resource == "memory" else []
    return [*plain(resource), Vpa("target"), Vpa("upper"), *sound, *moving_window(resource), *settings(resource)]


def rivals(resource: Resource) -> dict[str, list[SizingPolicy]]:
    """By the name that a figure gives them. Where there are two, the stronger one counts: the worse ratio for us."""
    autopilot = moving_window(resource)[0]
    if resource == "memory":
        return {"vpa": [Vpa("target"), Vpa("target", sound=True)], "krr": [krr_memory()], "autopilot": [autopilot]}
    return {"vpa": [Vpa("target")], "krr": [krr_cpu()], "autopilot": [autopilot]}
