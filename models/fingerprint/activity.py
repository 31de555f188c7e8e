"""Features of GPU utilisation: its distribution, its rhythm, its dips, and how it begins and ends."""

from __future__ import annotations

import numpy as np

from models.fingerprint.window import Floats, Phases

_QUANTILES = (0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)
_EDGES = (-0.005, 0.005, 0.055, 0.205, 0.405, 0.605, 0.805, 0.905, 0.955, 0.985, 0.995, 1.005)
"""Between whole percents, as NVML counts: exactly 0, 1-5, 6-20, ... 99, 100."""
_LAGS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
_BANDS = (0.0, 0.03, 0.1, 0.2, 0.3, 0.4, 0.51)
"""In cycles per sample."""
_DIP = 0.5
_MIN_SPECTRUM = 16
_FIRST = 8
_BLURRED = 3
"""Samples at the ends of the steady part that mix two phases: two before, one after."""


def activity_features(activity: Floats | None, phases: Phases) -> dict[str, float]:
    """Of utilisation [n], 0 to 1; all NaN when it is None."""
    if activity is None or phases.stop <= phases.start:
        return dict.fromkeys(NAMES, np.nan)
    steady = activity[phases.start : phases.stop]
    core = steady[2:-1] if len(steady) >= _BLURRED + 5 else steady
    return {
        **_distribution(core),
        **_values(core),
        **_rhythm(core),
        **_dips(core),
        **_spectrum(core),
        **_course(activity, steady, core),
    }


def _distribution(core: Floats) -> dict[str, float]:
    q = np.quantile(core, _QUANTILES)
    shares = np.histogram(core, _EDGES)[0] / len(core)
    return {
        "activity_mean": float(core.mean()),
        "activity_std": float(core.std()),
        **{f"activity_q{round(100 * p)}": float(v) for p, v in zip(_QUANTILES, q, strict=True)},
        **{f"activity_share_{k}": float(v) for k, v in enumerate(shares)},
        "activity_iqr": float(q[5] - q[3]),
        "activity_spread": float(q[6] - q[2]),
    }


def _values(core: Floats) -> dict[str, float]:
    """How many different values, and how concentrated they are."""
    values, counts = np.unique(core, return_counts=True)
    share = np.sort(counts / len(core))[::-1]
    return {
        "values": float(len(values)),
        "values_share": len(values) / len(core),
        "mode": float(values[np.argmax(counts)]),
        "mode_share": float(share[0]),
        "top3_share": float(share[:3].sum()),
        "entropy": float(-(share * np.log(share)).sum()),
    }


def _rhythm(core: Floats) -> dict[str, float]:
    """Steps from sample to sample, and autocorrelation."""
    steps = np.diff(core)
    size = np.abs(steps)
    flips = np.mean(steps[1:] * steps[:-1] < 0) if len(steps) > 1 else np.nan
    return {
        "step_mean": float(size.mean()) if len(size) else np.nan,
        "step_median": float(np.median(size)) if len(size) else np.nan,
        "step_q90": float(np.quantile(size, 0.9)) if len(size) else np.nan,
        "step_flips": float(flips),
        **_autocorrelations(core),
    }


def _autocorrelations(core: Floats) -> dict[str, float]:
    centred = core - core.mean()
    power = float(centred @ centred)
    out = dict.fromkeys((f"autocorrelation_{lag}" for lag in _LAGS), np.nan)
    if power > 0:
        out |= {f"autocorrelation_{k}": float(centred[k:] @ centred[:-k]) / power for k in _LAGS if len(core) > k + 2}
    return out


def _dips(core: Floats) -> dict[str, float]:
    """Runs of samples below half: evaluations, checkpoints, waits for input."""
    edges = np.diff(np.concatenate([[0], (core < _DIP).astype(np.int8), [0]]))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    lengths, gaps = ends - begins, np.diff(begins)
    return {
        "dips": float(len(begins)),
        "dip_rate": len(begins) / len(core),
        "dip_mean": float(lengths.mean()) if len(lengths) else 0.0,
        "dip_longest": float(lengths.max(initial=0)),
        "dip_gap_median": float(np.median(gaps)) if len(gaps) else np.nan,
        "dip_gap_variation": float(gaps.std() / gaps.mean()) if len(gaps) > 1 else np.nan,
    }


def _spectrum(core: Floats) -> dict[str, float]:
    names = (*(f"band_{k}" for k in range(len(_BANDS) - 1)), "peak_frequency", "peak_share", "spectral_entropy")
    if len(core) < _MIN_SPECTRUM:
        return dict.fromkeys(names, np.nan)
    power = np.abs(np.fft.rfft(core - core.mean()))[1:] ** 2
    frequency = np.fft.rfftfreq(len(core))[1:]
    share = power / power.sum() if power.sum() > 0 else np.full(len(power), 1 / len(power))
    bands = np.histogram(frequency, _BANDS, weights=share)[0]
    entropy = float(-(share * np.log(share + 1e-12)).sum() / np.log(len(share)))
    values = (*bands, frequency[np.argmax(share)], share.max(), entropy)
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _course(activity: Floats, steady: Floats, core: Floats) -> dict[str, float]:
    """How it begins, its later three quarters, its halves, and the busy samples alone."""
    first = np.full(_FIRST, np.nan)
    first[: len(steady)] = steady[:_FIRST]
    half, late = len(core) // 2, core[len(core) // 4 :]
    busy = core[core > _DIP]
    return {
        **{f"steady_first_{k}": float(value) for k, value in enumerate(first)},
        "half_mean_change": float(core[:half].mean() - core[half:].mean()) if half else np.nan,
        "half_std_change": float(core[:half].std() - core[half:].std()) if half else np.nan,
        "activity_max": float(activity.max()),
        "busy_share": float(np.mean(activity > _DIP)),
        "late_min": float(late.min()),
        "late_below_70": float(np.mean(late < 0.7)),
        "late_below_3": float(np.mean(late < 0.03)),
        "late_std": float(late.std()),
        "busy_mean": float(busy.mean()) if len(busy) else np.nan,
        "busy_std": float(busy.std()) if len(busy) else np.nan,
        "busy_full_share": float(np.mean(busy > 0.995)) if len(busy) else np.nan,
    }


NAMES: tuple[str, ...] = ()
NAMES = tuple(activity_features(np.zeros(32), Phases(0, 0, 32)))
