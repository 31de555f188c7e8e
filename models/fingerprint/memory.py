"""Features of device memory: the staircase of start-up in absolute bytes, and the steady part relative to the board."""

from __future__ import annotations

import numpy as np

from models.fingerprint.window import CONTEXT_BYTES, MIB, Floats, Phases

_ROUNDING = 24
"""MiB. Levels that differ by less are one level: allocators and the driver jitter by a few pages."""
_RAMP_FIRST, _RAMP_LAST = 10, 6
_BINS = (250, 700, 1100, 1500, 2000, 2600, 3600, 5500)
"""MiB; edges between what contexts, weights and data sets of scripts take."""
_FIRST = (0, 1, 2, 4, 8)
_WAITING = (
    "loading_mean",
    "waiting_max",
    "waiting_share",
    "waiting_busy",
    "waiting_sum",
    "waiting_small",
    "first_busy_log",
)


def startup_features(memory: Floats | None, activity: Floats | None, phases: Phases, step_s: float) -> dict[str, float]:
    """Of memory [n] in bytes before the steady part, as logarithms of MiB; activity [n] or None."""
    if memory is None:
        return dict.fromkeys(STARTUP_NAMES, np.nan)
    mib = (memory - memory.min()) / MIB
    ramp = mib[phases.context : phases.start]
    before = mib[: phases.start]
    bins = np.histogram(before, _BINS)[0] * step_s
    last_step = (memory[phases.start] - memory[phases.start - 1]) / memory.max() if phases.start else np.nan
    return {
        **_waiting(activity, phases),
        **_plateaus(ramp, step_s),
        **_ramp(ramp),
        "last_step_share": float(last_step),
        **{f"seconds_above_{low}_mib_log": float(v) for low, v in zip(_BINS[:-1], np.log1p(bins), strict=True)},
    }


def _waiting(activity: Floats | None, phases: Phases) -> dict[str, float]:
    """Utilisation before the steady part."""
    if activity is None:
        return dict.fromkeys(_WAITING, np.nan)
    before, loading = activity[: phases.start], activity[phases.context : phases.start]
    busy = np.flatnonzero(activity[phases.context :] > 0.2)
    values = (
        loading.mean() if len(loading) else np.nan,
        before.max(initial=0.0),
        np.mean(before > 0) if len(before) else np.nan,
        np.sum(before > 0.05),
        before.sum(),
        np.sum((before > 0) & (before < 0.035)),
        np.log1p(busy[0]) if len(busy) else np.nan,
    )
    return {name: float(value) for name, value in zip(_WAITING, values, strict=True)}


def _plateaus(ramp: Floats, step_s: float) -> dict[str, float]:
    """Levels that are held for two samples or more."""
    level, length = _held_levels(ramp)
    found = len(level) > 0

    def at(k: int) -> float:
        return float(level[k]) if len(level) > k else np.nan

    longest = int(np.argmax(length)) if found else 0
    return {
        "plateaus": float(len(level)),
        "plateau_1_mib": at(0),
        "plateau_2_mib": at(1),
        "plateau_3_mib": at(2),
        "plateau_last_mib": float(level[-1]) if found else np.nan,
        "plateau_longest_mib": at(longest),
        "plateau_1_s": float(length[0] * step_s) if found else np.nan,
        "plateau_last_s": float(length[-1] * step_s) if found else np.nan,
        "plateau_longest_s": float(length[longest] * step_s) if found else np.nan,
        "plateau_rise_mib": float(level[-1] - level[0]) if found else np.nan,
    }


def _held_levels(ramp: Floats) -> tuple[Floats, Floats]:
    """Levels (MiB) and lengths (samples) of the plateaus of a ramp."""
    rounded = np.round(ramp / _ROUNDING)
    edges = np.flatnonzero(np.diff(rounded)) + 1
    begins, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(ramp)]])
    keep = (ends - begins >= 2) & (ramp[np.minimum(begins, len(ramp) - 1)] > 250) if len(ramp) else begins < 0
    return np.asarray(ramp[begins[keep]], dtype=np.float64), (ends - begins)[keep].astype(np.float64)


def _ramp(ramp: Floats) -> dict[str, float]:
    """Its first and last levels and its steps."""
    logs = np.log1p(np.maximum(ramp, 0))
    first, last = np.full(_RAMP_FIRST, np.nan), np.full(_RAMP_LAST, np.nan)
    first[: len(logs)] = logs[:_RAMP_FIRST]
    last[: len(logs)] = logs[::-1][:_RAMP_LAST]
    steps = np.diff(ramp)
    some, moved = len(ramp) > 0, len(steps) > 0
    return {
        **{f"ramp_{k}_log_mib": float(v) for k, v in enumerate(first)},
        **{f"ramp_end_{k}_log_mib": float(v) for k, v in enumerate(last)},
        "ramp_last_mib": float(ramp[-1]) if some else np.nan,
        "ramp_median_mib": float(np.median(ramp)) if some else np.nan,
        "ramp_max_mib": float(ramp.max()) if some else np.nan,
        "ramp_growth": float(ramp[-1] / max(ramp[0], 1.0)) if some else np.nan,
        "ramp_rise_mib": float(ramp[-1] - ramp[0]) if some else np.nan,
        "ramp_large_steps": float(np.mean(steps > 300)) if moved else np.nan,
        "ramp_step_median_mib": float(np.median(steps)) if moved else np.nan,
        "ramp_step_max_mib": float(steps.max()) if moved else np.nan,
        "ramp_still": float(np.mean(np.abs(steps) < 16)) if moved else np.nan,
        "ramp_falls": float(np.sum(steps < -50)) if moved else np.nan,
    }


def memory_features(memory: Floats | None, board_bytes: float, phases: Phases) -> dict[str, float]:
    """Of memory [n] in bytes in the steady part; board_bytes NaN when unknown."""
    if memory is None or memory.max() <= 0:
        return dict.fromkeys(MEMORY_NAMES, np.nan)
    most, steady = memory.max(), memory[phases.start : phases.stop]
    before = memory[phases.start - 1] if phases.start else np.nan
    return {
        "peak_mib": float(most / MIB),
        "peak_share": float(most / board_bytes),
        "free_mib": float((board_bytes - most) / MIB),
        "median_share": float(np.median(steady) / board_bytes),
        "median_of_peak": float(np.median(steady) / most),
        "end_of_peak": float(steady[-1] / most - 1),
        "jump_share": float((most - before) / board_bytes),
        **_changes(steady, board_bytes),
        **_filling(steady / most),
    }


def _changes(steady: Floats, board_bytes: float) -> dict[str, float]:
    steps = np.diff(steady) / MIB
    late = steps[len(steps) // 4 :]
    n, n_late = max(len(steps), 1), max(len(late), 1)
    moved = np.abs(steps) > 8
    return {
        "moves_share": float(moved.sum() / n),
        "moves": float(moved.sum()),
        "rises": float(np.sum(steps > 8)),
        "falls": float(np.sum(steps < -8)),
        "rise_share": float(steps[steps > 8].sum() * MIB / board_bytes),
        "fall_share": float(steps[steps < -8].sum() * MIB / board_bytes),
        "std_share": float(steady.std() / board_bytes),
        "range_share": float(np.ptp(steady) / board_bytes),
        "late_moves_share": float(np.sum(np.abs(late) > 8) / n_late),
        "late_rises_share": float(np.sum(late > 8) / n_late),
        "small_moves_share": float(np.sum((np.abs(steps) > 1) & (np.abs(steps) < 64)) / n),
    }


def _filling(of_peak: Floats) -> dict[str, float]:
    """How the steady part reaches its peak."""
    n = len(of_peak)
    first = np.full(max(_FIRST) + 1, np.nan)
    first[:n] = of_peak[: max(_FIRST) + 1]
    reached = int(np.argmax(of_peak >= 0.99))
    moved = np.flatnonzero(np.abs(np.diff(of_peak)) > 0.001)
    return {
        **{f"of_peak_{k}": float(first[k]) for k in _FIRST},
        "peak_at": float(reached),
        "peak_at_share": reached / n,
        "above_99_share": float(np.mean(of_peak >= 0.99)),
        "above_90_share": float(np.mean(of_peak >= 0.9)),
        "last_move_share": float((moved[-1] + 1) / n) if len(moved) else 0.0,
        "of_peak_q10": float(np.quantile(of_peak, 0.1)),
        "of_peak_q25": float(np.quantile(of_peak, 0.25)),
    }


STARTUP_NAMES: tuple[str, ...] = ()
MEMORY_NAMES: tuple[str, ...] = ()
_EXAMPLE = np.concatenate([np.zeros(8), np.full(8, 2 * CONTEXT_BYTES), np.full(16, 8 * CONTEXT_BYTES)])
STARTUP_NAMES = tuple(startup_features(_EXAMPLE, _EXAMPLE * 0, Phases.of(_EXAMPLE, 32), 1.0))
MEMORY_NAMES = tuple(memory_features(_EXAMPLE, 16 * CONTEXT_BYTES, Phases.of(_EXAMPLE, 32)))
