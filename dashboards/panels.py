"""The kinds of panels: a number, lines over time, bars of shares, a table whose rows lead on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any

from grafanalib.core import Panel, RowPanel, Stat, Table, Target, TimeSeries

from dashboards.variables import DATASOURCE

Json = dict[str, Any]
CORES, BYTES, RATIO, COUNT, SECONDS, USD_PER_HOUR = "short", "bytes", "percentunit", "short", "s", "currencyUSD"
WATTS, PER_SECOND, AGO = "watt", "ops", "dateTimeFromNow"


@dataclass(frozen=True, slots=True)
class Query:
    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the label or value to show, its title, and the unit of a value."""

    source: str
    title: str
    unit: str = ""
    width: int = 0


@dataclass(frozen=True, slots=True)
class Style:
    """overrides: by name of a series, properties of its field."""

    unit: str = COUNT
    stacked: bool = False
    least: int | None = 0
    most: int | None = None
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def number(title: str, description: str, expr: str, unit: str = COUNT, alarm: float | None = None) -> Panel:
    """The present value. alarm: from which on it is red."""
    steps: list[Json] = [{"color": "green", "value": None}]
    if alarm is not None:
        steps.append({"color": "red", "value": alarm})
    return Stat(
        title=title,
        description=description,
        dataSource=DATASOURCE,
        targets=_targets([Query(expr)]),
        format=unit,
        noValue="no data",
        reduceCalc="lastNotNull",
        colorMode="value" if alarm is not None else "none",
        color={"mode": "thresholds"},
        thresholds=steps,
    )


def words(title: str, description: str, expr: str, label: str) -> Panel:
    """What a label of an _info metric says now."""
    return Stat(
        title=title,
        description=description,
        dataSource=DATASOURCE,
        targets=_targets([Query(expr, "{{" + label + "}}")], instant=True),
        format="none",
        noValue="no data",
        reduceCalc="lastNotNull",
        textMode="name",
        graphMode="none",
        colorMode="none",
        color={"mode": "thresholds"},
        thresholds=[{"color": "text", "value": None}],
    )


def lines(title: str, description: str, queries: Sequence[Query], style: Style | None = None) -> Panel:
    style = style or Style()
    return TimeSeries(
        title=title,
        description=description,
        dataSource=DATASOURCE,
        targets=_targets(queries),
        unit=style.unit,
        valueMin=style.least,
        valueMax=style.most,
        stacking={"mode": "normal", "group": "A"} if style.stacked else {"mode": "none", "group": "A"},
        fillOpacity=30 if style.stacked else 0,
        tooltipMode="multi",
        tooltipSort="desc",
        legendDisplayMode="list",
        overrides=[_override(name, properties) for name, properties in style.overrides.items()],
    )


def table(
    title: str,
    description: str,
    queries: Mapping[str, str],
    columns: Sequence[Column],
    links: Sequence[Json] = (),
    sort: str = "",
    mappings: Mapping[str, Mapping[str, str]] | None = None,
) -> Panel:
    """One row per label set. queries: title of a value column to its query. columns: in this order, others are hidden.
    links: of the first column. sort: title of the column with the largest first. mappings: per title, value to text."""
    names = {
        "Value" if len(queries) == 1 else f"Value #{ref}": title_
        for ref, title_ in zip(ascii_uppercase, queries, strict=False)
    }
    shown = {column.source: column.title for column in columns}
    return Table(
        title=title,
        description=description,
        dataSource=DATASOURCE,
        targets=_targets([Query(expr) for expr in queries.values()], instant=True, form="table"),
        transformations=_arranged(names, columns, shown, len(queries) > 1),
        unit="short",
        overrides=_column_overrides(columns, links, mappings or {}),
        extraJson={
            "options": {"sortBy": [{"displayName": sort, "desc": True}] if sort else [], "footer": {"show": False}}
        },
    )


def row(title: str) -> RowPanel:
    return RowPanel(title=title)


def _targets(queries: Sequence[Query], instant: bool = False, form: str = "time_series") -> list[Target]:
    return [
        Target(
            expr=query.expr,
            legendFormat=query.legend or "__auto",
            refId=ref,
            instant=instant,
            format=form,
            datasource=DATASOURCE,
        )
        for ref, query in zip(ascii_uppercase, queries, strict=False)
    ]


def _arranged(
    names: Mapping[str, str], columns: Sequence[Column], shown: Mapping[str, str], several: bool
) -> list[Json]:
    """Queries joined by their labels, columns renamed and in order; whatever is not named is filtered out."""
    titles = {**names, **{source: title for source, title in shown.items() if source not in names.values()}}
    order = [next((raw for raw, named in names.items() if named == c.source), c.source) for c in columns]
    keep = {"id": "filterFieldsByName", "options": {"include": {"names": order}}}
    organize = {
        "id": "organize",
        "options": {
            "indexByName": {source: place for place, source in enumerate(order)},
            "renameByName": {raw: shown.get(named, named) for raw, named in titles.items()},
        },
    }
    return [*([{"id": "merge", "options": {}}] if several else []), keep, organize]


def _column_overrides(
    columns: Sequence[Column], links: Sequence[Json], mappings: Mapping[str, Mapping[str, str]]
) -> list[Json]:
    found = []
    for place, column in enumerate(columns):
        properties: Json = {}
        if column.unit:
            properties["unit"] = column.unit
        if column.width:
            properties["custom.width"] = column.width
        if links and place == 0:
            properties["links"] = list(links)
        if column.title in mappings:
            options = {value: {"text": text} for value, text in mappings[column.title].items()}
            properties["mappings"] = [{"type": "value", "options": options}]
        if properties:
            found.append(_override(column.title, properties))
    return found


def _override(name: str, properties: Mapping[str, Any]) -> Json:
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }
