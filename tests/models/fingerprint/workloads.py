"""Made-up workloads that are easy to tell apart, on GPUs of different speed."""

from __future__ import annotations

import numpy as np

from models.fingerprint.window import MIB, Board, Window

GIB = 1024 * MIB


def window(kind: str, speed: float, seed: int, n: int = 90) -> Window:
    """`steady`: loads 2 GiB, then runs flat out. `waves`: loads 4 GiB in two steps, then swings. `dips`: loads slowly, then
    stops every ninth sample. On a GPU that is `speed` times as fast."""
    rng = np.random.default_rng(seed)
    load = round({"steady": 10, "waves": 16, "dips": 30}[kind] / speed)
    first = {"steady": 600, "waves": 1500, "dips": 900}[kind]
    memory = np.full(n, {"steady": 9000.0, "waves": 12000.0, "dips": 7000.0}[kind])
    memory[:load] = first
    memory[: load // 3] = 3
    activity = rng.normal(0.97, 0.01, n)
    if kind == "waves":
        activity = 0.6 + 0.3 * np.sin(np.arange(n) * speed) + rng.normal(0, 0.02, n)
    if kind == "dips":
        activity[:: round(9 * speed)] = 0.05
    activity[:load] = 0.0
    signals = {"gpu_utilization_ratio": np.clip(activity, 0, 1), "framebuffer_used_bytes": memory * MIB}
    return Window(signals, 2.0, Board(16 * GIB))


def fleet(kinds: tuple[str, ...] = ("steady", "waves", "dips")) -> tuple[list[Window], list[str], list[str]]:
    """Windows, workloads and groups: five of each kind on four kinds of GPU."""
    made = [(k, g, s) for k in kinds for g in range(4) for s in range(5)]
    windows = [window(k, 0.8 + 0.15 * g, 100 * g + s) for k, g, s in made]
    return windows, [k for k, _, _ in made], [f"gpu-{g}" for _, g, _ in made]


def nothing(n: int = 40) -> Window:
    """A GPU that nobody uses: 3 MiB of the driver's own."""
    return Window({"gpu_utilization_ratio": np.zeros(n), "framebuffer_used_bytes": np.full(n, 3 * MIB)}, 2.0)
