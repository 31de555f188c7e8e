"""What a bench hands back, and how it is shown and saved."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

Cell = str | float | int | None


class MissingDataError(Exception):
    """A data set is not there. The message names it and says how to pass it."""


@dataclass(frozen=True, slots=True)
class Report:
    """title:   one line
    figures: the named numbers of the issue or docs, e.g. {"profile_samples_per_s": 6.1e6}
    rows:    the table, one mapping per line, the peers' lines among ours
    notes:   sentences printed under the table
    pictures: PNG files by name, written next to the JSON file or into bench-out/
    """

    title: str
    figures: Mapping[str, float]
    rows: Sequence[Mapping[str, Cell]] = ()
    notes: Sequence[str] = field(default_factory=tuple)
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def require_data(data: Path | None, name: str) -> Path:
    """The folder of one data set. Raises MissingDataError when it is not there."""
    if data is None:
        raise MissingDataError(
            f"this bench needs the data set {name!r}: pass --data DIR, the folder that holds {name}/"
        )
    if not (data / name).is_dir():
        raise MissingDataError(f"data set {name!r} is missing: {data / name} is no folder")
    return data / name


def print_report(report: Report) -> None:
    console = Console(width=None if Console().is_terminal else 160)
    table = Table(title=report.title, title_justify="left", show_edge=False)
    columns = list(dict.fromkeys(key for row in report.rows for key in row))
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for row in report.rows:
        table.add_row(*(_text(row.get(column)) for column in columns))
    console.print(table)
    for name, value in report.figures.items():
        console.print(f"  {name} = {_text(value)}", highlight=False)
    for note in report.notes:
        console.print(f"  {note}", highlight=False)


def write_json(report: Report, file: Path) -> None:
    body = {
        "machine": machine(),
        "commit": _commit(),
        "title": report.title,
        "figures": dict(report.figures),
        "rows": [dict(row) for row in report.rows],
    }
    file.write_text(json.dumps(body, indent=2) + "\n")


def write_pictures(report: Report, folder: Path) -> None:
    """Write the report's pictures, if it has any, and say where."""
    for name, png in report.pictures.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png)
        Console().print(f"  picture: {folder / name}", highlight=False)


def machine() -> dict[str, Cell]:
    """CPU, cores and Python of this machine: a number without them says little."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": len(models) or None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _commit() -> str:
    run = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"


def _text(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else value
