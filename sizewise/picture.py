"""Usage, request and recommendation of one workload over time, as a PNG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from sizewise.exits import Exit

Series = Mapping[str, Any]
"""The body of /v1/workloads/{id}/series."""
_LINES = (
    ("usage_p50", "usage, median", "tab:blue", ":"),
    ("usage_p95", "usage, P95", "tab:blue", "--"),
    ("usage_peak", "usage, peak", "tab:blue", "-"),
    ("request", "request", "tab:gray", "-"),
    ("target", "recommended", "tab:green", "-"),
)
_PARTS: tuple[tuple[str, str, Callable[[float], float]], ...] = (
    ("cpu_cores", "CPU, cores", lambda value: value),
    ("memory_bytes", "memory, GiB", lambda value: value / (1 << 30)),
)


def draw(series: Series, file: Path) -> None:
    """Write the picture. Raises Exit where matplotlib is missing or the file cannot be written."""
    try:
        from matplotlib.figure import Figure  # 0.5 s and 40 MB, for those who want a picture
    except ImportError as error:
        raise Exit("a picture needs matplotlib: pip install 'sizewise[bench]'") from error
    days = [date.fromisoformat(day) for day in series["days"]]
    figure = Figure(figsize=(9, 6), layout="constrained")
    for axes, (name, label, scale) in zip(figure.subplots(2, 1, sharex=True), _PARTS, strict=True):
        for measure, legend, colour, style in _LINES:
            values = [float("nan") if value is None else scale(value) for value in series[name][measure]]
            steps = "steps-mid" if measure in ("request", "target") else "default"
            axes.plot(days, values, label=legend, color=colour, linestyle=style, drawstyle=steps, marker=".")
        axes.set(ylabel=label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper left")
    figure.suptitle(series["id"])
    figure.autofmt_xdate()
    try:
        figure.savefig(file, format="png", dpi=120)
    except OSError as error:
        raise Exit(f"cannot write {file}: {error.strerror}") from error
