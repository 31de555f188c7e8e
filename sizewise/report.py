"""The report: a page of workloads as a table that fits the terminal, or as flat records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from sizewise.units import UNKNOWN, cores, duration, share, size

Body = Mapping[str, Any]
_UNIT: dict[str, str] = {"cpu": "cores", "memory": "bytes"}
_FORMAT: dict[str, Callable[..., str]] = {"cpu": cores, "memory": size}
_SHORT = {"cpu": "cpu", "memory": "mem"}
_SHOWN = ("usage_p50", "usage_p95", "usage_peak", "request_now", "target", "lower", "upper", "saving")
_STYLE = {"lower": "green", "raise": "bold red", "set": "cyan", "leave": "dim", "insufficient": "dim"}
WIDE = 130
"""Columns from which on reasons stand in the table as sentences; under it they are codes."""


def records(page: Body) -> Iterator[dict[str, Any]]:
    """One flat record per workload and resource, for csv and markdown: numbers in the units that the names say."""
    for workload in page["workloads"]:
        for resource, unit in _UNIT.items():
            sizing = workload[resource]
            yield {
                "workload": workload["id"],
                "resource": resource,
                "unit": unit,
                **{name: sizing[f"{name}_{unit}"] for name in _SHOWN},
                "action": sizing["action"],
                "confidence_ratio": workload["confidence_ratio"],
                "covered_hours": workload["covered_hours"],
                "reasons": " ".join(reason["code"] for reason in sizing["reasons"]),
            }


def view(page: Body, width: int) -> RenderableType:
    """The table and its summary. `width` in columns of the terminal."""
    return Group(_table(page["workloads"], width), Text(), *_summary(page))


def _table(workloads: list[Body], width: int) -> Table:
    wide = width >= WIDE
    table = Table(box=None, padding=(0, 2 if wide else 1, 0, 0), header_style="bold", width=width, pad_edge=False)
    table.add_column("WORKLOAD", ratio=3 if wide else 4, overflow="ellipsis", no_wrap=True, min_width=16)
    table.add_column("")
    for title in ("P50", "P95", "PEAK") if wide else ("P95", "PEAK"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("NOW -> TARGET", justify="right", no_wrap=True)
    if wide:
        table.add_column("RANGE", no_wrap=True)
    table.add_column("ACTION", no_wrap=True)
    table.add_column("SAVING", justify="right", no_wrap=True)
    if wide:
        table.add_column("CONF", justify="right")
    table.add_column("WHY", ratio=5 if wide else 3, style="dim")
    for workload in workloads:
        _add(table, workload, wide)
    return table


def _add(table: Table, workload: Body, wide: bool) -> None:
    """Two lines: CPU under the workload's name, memory under the place where it belongs."""
    confidence = [share(workload["confidence_ratio"])] if wide else []
    table.add_row(_name(workload), *_cells("cpu", workload["cpu"], wide), *confidence, _why(workload["cpu"], wide))
    blank = [""] if wide else []
    table.add_row(_place(workload), *_cells("memory", workload["memory"], wide), *blank, _why(workload["memory"], wide))


def _cells(resource: str, sizing: Body, wide: bool) -> list[RenderableType]:
    show, unit = _FORMAT[resource], _UNIT[resource]
    value = {name: show(sizing[f"{name}_{unit}"]) for name in _SHOWN}
    cells: list[RenderableType] = [Text(_SHORT[resource], "dim")]
    cells += [value[name] for name in (("usage_p50",) if wide else ()) + ("usage_p95", "usage_peak")]
    cells.append(Text.assemble((value["request_now"], "dim"), (" -> ", "dim"), (value["target"], "bold")))
    if wide:
        known = sizing[f"lower_{unit}"] is not None
        cells.append(Text(f"{value['lower']} - {value['upper']}" if known else UNKNOWN, "dim"))
    return [*cells, Text(sizing["action"], _STYLE.get(sizing["action"], "")), value["saving"]]


def _name(workload: Body) -> Text:
    name = workload["name"] or workload["id"]
    return Text(f"{name} ({workload['container']})" if workload["container"] else name, "bold")


def _place(workload: Body) -> Text:
    place = [workload["cluster"], workload["namespace"]] if workload["namespace"] != "host" else [workload["cluster"]]
    return Text(f"  {workload['kind']} in {'/'.join(place)}", "dim")


def _why(sizing: Body, wide: bool) -> str:
    if wide:
        return "; ".join(reason["sentence"] for reason in sizing["reasons"])
    return ", ".join(reason["code"] for reason in sizing["reasons"])


def _summary(page: Body) -> Iterator[Text]:
    shown, total = len(page["workloads"]), page["total"]
    yield Text(f"{shown} of {total} workloads" if shown < total else f"{total} workloads", "bold")
    for label, name, show in (("CPU", "cpu_cores", cores), ("Memory", "memory_bytes", size)):
        yield Text(f"{label:<7}" + _totals(page["totals"][name], show))
    history = max((workload["covered_hours"] for workload in page["workloads"]), default=0.0)
    if history < 24:
        yield Text(f"Based on at most {duration(history)} of telemetry; targets firm up over a week.", "dim")


def _totals(totals: Body, show: Callable[..., str]) -> str:
    parts = []
    if totals["workloads_compared"]:
        saved = totals["requested"] - totals["needed"]
        verb = f"{show(saved)} can be given back" if saved >= 0 else f"{show(-saved)} more is needed"
        parts.append(f"requested {show(totals['requested'])}, needed {show(totals['needed'])}: {verb}")
    if totals["needed_without_request"]:
        parts.append(f"needed where no request is known: {show(totals['needed_without_request'])}")
    return "; ".join(parts) or "no targets yet"


def console(width: int | None = None) -> Console:
    """Not a terminal: 160 columns, so that nothing is cut in a file or a pipe."""
    plain = Console(highlight=False)
    return plain if plain.is_terminal and width is None else Console(highlight=False, width=width or 160)
