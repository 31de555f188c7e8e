"""The rules of grafana/dashboard-linter, which is a Go program that no registry of ours has, over the rendered JSON.

Exceptions stand in `dashboards/rendered/.lint`, in the linter's own format, so that the real one reads them too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from dashboards.__main__ import FOLDER
from tests.dashboards.rendered import Json, dashboards, panels

Fault = tuple[str, str, str, str]
"""Rule, title of the dashboard, title of the panel (empty: the dashboard itself), what is wrong."""
_RATES = re.compile(r"\b(?:rate|irate|increase|delta)\s*\(")
_RANGE = re.compile(r"\[([^\]]+)\]")
_LABEL_VALUES = re.compile(r"label_values\((?:[a-z_]+(?:\{[^{}]*\})?, )?[a-z_]+\)")
_FIXED_RANGES = frozenset({"1h"})
"""Of numbers that say so in their title: `in an hour` must not change with the zoom."""


def faults() -> set[Fault]:
    """Everything that a rule finds and `.lint` does not allow."""
    allowed = exceptions()
    return {fault for dashboard in dashboards() for fault in found(dashboard) if not _excused(fault, allowed)}


def found(dashboard: Json) -> Iterator[Fault]:
    title = dashboard["title"]
    for rule, check in _OF_DASHBOARDS.items():
        yield from ((rule, title, "", wrong) for wrong in check(dashboard))
    for panel in panels(dashboard):
        for rule, check in _OF_PANELS.items():
            yield from ((rule, title, panel["title"], wrong) for wrong in check(panel))


def exceptions() -> Mapping[str, list[dict[str, str]]]:
    """By rule, where it does not hold. Each has a reason."""
    read = yaml.safe_load((FOLDER / ".lint").read_text())["exclusions"]
    assert all(rule["reason"] for rule in read.values())
    return {name: rule["entries"] for name, rule in read.items()}


def _excused(fault: Fault, allowed: Mapping[str, list[dict[str, str]]]) -> bool:
    rule, dashboard, panel, _ = fault
    return any(
        entry["dashboard"] == dashboard and entry.get("panel", panel) == panel for entry in allowed.get(rule, [])
    )


def _variable(dashboard: Json, name: str) -> Json:
    return next((v for v in dashboard["templating"]["list"] if v["name"] == name), {})


def _template_datasource(dashboard: Json) -> Iterator[str]:
    variable = _variable(dashboard, "datasource")
    if (variable.get("type"), variable.get("query"), variable.get("label")) != (
        "datasource",
        "prometheus",
        "Data source",
    ):
        yield "needs a variable `datasource` of type datasource, query prometheus, label Data source"


def _template_of(name: str, label: str) -> Callable[[Json], Iterator[str]]:
    def check(dashboard: Json) -> Iterator[str]:
        variable = _variable(dashboard, name)
        wanted = {"type": "query", "label": label, "multi": True, "allValue": ".+"}
        if {key: variable.get(key) for key in wanted} != wanted or "${datasource}" not in str(
            variable.get("datasource")
        ):
            yield f"needs a variable `{name}` with {wanted} on ${{datasource}}"

    return check


def _template_label_promql(dashboard: Json) -> Iterator[str]:
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query" and not _LABEL_VALUES.fullmatch(variable["query"]):
            yield f"variable {variable['name']}: {variable['query']!r} is no label_values(...)"


def _panel_datasource(panel: Json) -> Iterator[str]:
    for part in (panel, *panel["targets"]):
        if part["datasource"] != {"type": "prometheus", "uid": "${datasource}"}:
            yield f"does not use $datasource but {part['datasource']}"


def _panel_title_description(panel: Json) -> Iterator[str]:
    if not panel["title"] or not panel["description"]:
        yield "needs a title and a description"


def _panel_units(panel: Json) -> Iterator[str]:
    if not panel["fieldConfig"]["defaults"].get("unit"):
        yield "needs a unit"


def _target_rate_interval(panel: Json) -> Iterator[str]:
    for target in panel["targets"]:
        if _RATES.search(target["expr"]):
            yield from (
                f"uses [{found}] in place of [$__rate_interval]"
                for found in _RANGE.findall(target["expr"])
                if found != "$__rate_interval" and not (found in _FIXED_RANGES and panel["type"] == "stat")
            )


def _target_of(name: str) -> Callable[[Json], Iterator[str]]:
    def check(panel: Json) -> Iterator[str]:
        for target in panel["targets"]:
            selectors = re.findall(r"\b(?:sizewise|process)_[a-z0-9_]+\{([^}]*)\}", target["expr"])
            if not selectors or any(f'{name}=~"${name}"' not in selector for selector in selectors):
                yield f"{target['expr']} needs {name}=~${name} in each selector"

    return check


_OF_DASHBOARDS: Mapping[str, Callable[[Any], Iterator[str]]] = {
    "template-datasource-rule": _template_datasource,
    "template-job-rule": _template_of("job", "Job"),
    "template-instance-rule": _template_of("instance", "Instance"),
    "template-label-promql-rule": _template_label_promql,
}
_OF_PANELS: Mapping[str, Callable[[Any], Iterator[str]]] = {
    "panel-datasource-rule": _panel_datasource,
    "panel-title-description-rule": _panel_title_description,
    "panel-units-rule": _panel_units,
    "target-rate-interval-rule": _target_rate_interval,
    "target-job-rule": _target_of("job"),
    "target-instance-rule": _target_of("instance"),
}
"""The linter's target-promql-rule is left to Prometheus itself: every query is asked of a real one."""
