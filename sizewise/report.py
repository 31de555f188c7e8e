"""The report: a page of workloads as a table that fits the terminal, or as flat records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sizewise.slice_text import slice_line, slice_short
from sizewise.units import UNKNOWN, cores, duration, share, size

Body = Mapping[str, Any]
_UNIT: dict[str, str] = {"cpu": "cores", "memory": "bytes"}
_FORMAT: dict[str, Callable[..., str]] = {"cpu": cores, "memory": size}
_SHORT = {"cpu": "cpu", "memory": "mem"}
_SHOWN = ("usage_p50", "usage_p95", "usage_peak", "request_now", "target", "lower", "upper", "saving")
_STYLE = {"lower": "green", "raise": "bold red", "set": "cyan", "leave": "dim", "insufficient": "dim"}
WIDE = 150
"""Columns from which on there is one table; under it each workload has its own lines."""
_PLAIN = frozenset({"percentile", "peak", "margin", "within-bounds", "no-request-known"})
"""Reasons that the numbers and the action say already. -o json has them all."""
_FIRM_HOURS = 24
"""History under which the summary says once, for all, that there is little of it."""


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
        if mig := workload["mig"]:
            yield _slice_record(workload, mig)


def _slice_record(workload: Body, mig: Body) -> dict[str, Any]:
    return {
        "workload": workload["id"],
        "resource": "gpu-slice",
        "unit": "mig-profile",
        **dict.fromkeys(_SHOWN),
        "target": mig["mig_profile"],
        "action": mig["action"],
        "confidence_ratio": workload["confidence_ratio"],
        "covered_hours": workload["gpu"]["covered_hours"],
        "reasons": " ".join(reason["code"] for reason in mig["reasons"]),
    }


def view(page: Body, width: int) -> RenderableType:
    """The table and its summary. `width` in columns of the terminal."""
    said = _PLAIN if _history_hours(page) >= _FIRM_HOURS else _PLAIN | {"short-history"}
    draw = _table if width >= WIDE else _lines
    return Group(draw(page["workloads"], width, said), Text(), *_summary(page))


def brief(page: Body) -> RenderableType:
    """One line per workload, 79 columns: what `up` shows once."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("WORKLOAD", overflow="ellipsis", no_wrap=True, max_width=28)
    for title in ("CPU P95", "TARGET", "MEMORY PEAK", "TARGET"):
        table.add_column(title, justify="right", no_wrap=True, style="bold" if title == "TARGET" else None)
    for workload in page["workloads"]:
        cpu, memory = (_values(resource, workload[resource]) for resource in _UNIT)
        table.add_row(_name(workload), cpu["usage_p95"], cpu["target"], memory["usage_peak"], memory["target"])
    return table


def _table(workloads: list[Body], width: int, said: frozenset[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", width=width, pad_edge=False)
    table.add_column("WORKLOAD", ratio=3, overflow="ellipsis", no_wrap=True, min_width=24)
    table.add_column("")
    for title in ("P50", "P95", "PEAK", "NOW -> TARGET"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("RANGE", no_wrap=True)
    table.add_column("ACTION", no_wrap=True)
    table.add_column("SAVING", justify="right", no_wrap=True)
    table.add_column("CONF", justify="right")
    table.add_column("WHY", ratio=3, style="dim")
    for workload in workloads:
        confidence = share(workload["confidence_ratio"])
        for resource, first, sure in (("cpu", _name(workload), confidence), ("memory", _place(workload), "")):
            table.add_row(first, *_cells(resource, workload[resource]), sure, _why(workload[resource], said))
        if mig := workload["mig"]:
            change = Text.assemble((f"{workload['gpu']['gpus']} GPU -> ", "dim"), (slice_short(mig), "bold"))
            table.add_row("", Text("gpu", "dim"), "", "", "", change, "", mig["action"], "", "", slice_line(mig))
    return table


def _cells(resource: str, sizing: Body) -> list[RenderableType]:
    value = _values(resource, sizing)
    known = sizing[f"lower_{_UNIT[resource]}"] is not None
    return [
        Text(_SHORT[resource], "dim"),
        *(value[name] for name in ("usage_p50", "usage_p95", "usage_peak")),
        Text.assemble((value["request_now"], "dim"), (" -> ", "dim"), (value["target"], "bold")),
        Text(f"{value['lower']} - {value['upper']}" if known else UNKNOWN, "dim"),
        Text(sizing["action"], _STYLE.get(sizing["action"], "")),
        value["saving"],
    ]


def _lines(workloads: list[Body], width: int, said: frozenset[str]) -> Group:
    """For a narrow terminal: a heading per workload, a line per resource, and what there is to say under them."""
    head = f"{'':<5}{'P95':>10}{'PEAK':>10}  {'NOW -> TARGET':>21}  {'ACTION':<12}  {'SAVING':>9}"
    lines: list[RenderableType] = [Text(head, "bold")]
    for workload in workloads:
        sure = f", confidence {share(workload['confidence_ratio'])}" if workload["confidence_ratio"] is not None else ""
        heading = Text.assemble(_name(workload), (f"  {_place(workload).plain.strip()}{sure}", "dim"))
        heading.truncate(width, overflow="ellipsis")
        lines += [heading, *(_line(resource, workload[resource]) for resource in _UNIT)]
        if mig := workload["mig"]:
            lines.append(Padding(Text.assemble(("gpu: ", "dim"), slice_line(mig)), (0, 0, 0, 2)))
        lines += [Padding(Text(text, "dim"), (0, 0, 0, 5)) for text in _both(workload, said)]
    return Group(*lines)


def _both(workload: Body, said: frozenset[str]) -> Iterator[str]:
    """Reasons of CPU and memory, once where they are the same."""
    cpu, memory = (_why(workload[resource], said) for resource in _UNIT)
    if cpu and cpu == memory:
        yield cpu
        return
    yield from (f"{_SHORT[resource]}: {why}" for resource, why in zip(_UNIT, (cpu, memory), strict=True) if why)


def _line(resource: str, sizing: Body) -> Text:
    value = _values(resource, sizing)
    change = f"{value['request_now']} -> "
    return Text.assemble(
        (f"  {_SHORT[resource]}", "dim"),
        f"{value['usage_p95']:>10}{value['usage_peak']:>10}  ",
        (f"{change:>{21 - len(value['target'])}}", "dim"),
        (value["target"], "bold"),
        (f"  {sizing['action']:<12}", _STYLE.get(sizing["action"], "")),
        f"  {value['saving']:>9}",
    )


def _values(resource: str, sizing: Body) -> dict[str, str]:
    return {name: _FORMAT[resource](sizing[f"{name}_{_UNIT[resource]}"]) for name in _SHOWN}


def _name(workload: Body) -> Text:
    name = workload["name"] or workload["id"]
    return Text(f"{name} ({workload['container']})" if workload["container"] else name, "bold")


def _place(workload: Body) -> Text:
    place = [workload["cluster"], workload["namespace"]] if workload["namespace"] != "host" else [workload["cluster"]]
    return Text(f"  {workload['kind']} in {'/'.join(place)}", "dim")


def _why(sizing: Body, said: frozenset[str]) -> str:
    return "; ".join(reason["sentence"] for reason in sizing["reasons"] if reason["code"] not in said)


def _history_hours(page: Body) -> float:
    return max((float(workload["covered_hours"]) for workload in page["workloads"]), default=0.0)


def _summary(page: Body) -> Iterator[Text]:
    shown, total = len(page["workloads"]), page["total"]
    yield Text(f"{shown} of {total} workloads" if shown < total else f"{total} workloads", "bold")
    for label, name, show in (("CPU", "cpu_cores", _cores), ("Memory", "memory_bytes", size)):
        yield Text(f"{label:<7}" + _totals(page["totals"][name], show))
    if (history := _history_hours(page)) < _FIRM_HOURS:
        yield Text(f"Based on {duration(history)} of telemetry or less: bounds are wide and narrow over a week.", "dim")


def _cores(value: float) -> str:
    text = cores(value)
    return text if text.endswith("m") else f"{text} cores"


def _totals(totals: Body, show: Callable[..., str]) -> str:
    """Sums in words; what is known only of some workloads says so."""
    parts = []
    if totals["workloads_compared"]:
        saved = totals["requested"] - totals["needed"]
        verb = f"{show(saved)} can be given back" if saved >= 0 else f"{show(-saved)} more is needed"
        parts.append(f"requested {show(totals['requested'])}, needed {show(totals['needed'])}: {verb}")
    if totals["needed_without_request"]:
        also = " also" if parts else ""
        parts.append(f"{show(totals['needed_without_request'])} needed{also} by those without a request")
    return "; ".join(parts) or "no targets yet"


def console(width: int | None = None) -> Console:
    """Not a terminal: 160 columns, so that nothing is cut in a file or a pipe. Square brackets are text: workloads and
    paths of requests may have them."""
    plain = Console(highlight=False, markup=False)
    return plain if plain.is_terminal and width is None else Console(highlight=False, markup=False, width=width or 160)
