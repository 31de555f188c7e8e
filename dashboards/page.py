"""A dashboard from rows of panels: places on the grid, head, links, and the JSON that Grafana 9 to 13 load."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import attr
from grafanalib._gen import DashboardEncoder
from grafanalib.core import Dashboard, GridPos, Panel, Template, Templating, Time

from dashboards.panels import row

Json = dict[str, Any]
SCHEMA_VERSION = 42
"""Grafana's newest version of this JSON: Grafana 13 loads it as it is, and turns it into its V2 form by itself."""
WIDTH = 24
TAG = "sizewise"
_DEAD = frozenset({"__inputs", "gnetId", "hideControls", "rows", "sharedCrosshair", "style"})
"""Keys that grafanalib writes and Grafana no longer knows."""
_DEAD_IN_PANELS = frozenset(
    {
        "cacheTimeout", "color", "columns", "editable", "error", "fontSize", "height", "hideTimeOverride", "mappings",
        "maxDataPoints", "minSpan", "span",
    }
)  # fmt: skip
_DEAD_IN_TARGETS = frozenset({"target", "metric", "step", "intervalFactor", "query", "interval", "hide"})
_DEAD_IN_VARIABLES = frozenset({"useTags", "tagsQuery", "tagValuesQuery", "auto", "auto_min", "auto_count"})


@dataclass(frozen=True, slots=True)
class Section:
    """A titled row of panels; height in units of the grid. widths: one per panel, of 24; empty: all alike."""

    title: str
    panels: Sequence[Panel]
    height: int = 8
    widths: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One dashboard. `uid` never changes: links lead to it."""

    uid: str
    title: str
    description: str
    variables: Sequence[Template]
    sections: Sequence[Section]
    links: Sequence[Json] = ()

    def rendered(self) -> str:
        """The JSON text, the same for the same source."""
        dashboard = Dashboard(
            title=self.title,
            description=self.description,
            uid=self.uid,
            tags=[TAG],
            timezone="browser",
            refresh="30s",
            schemaVersion=SCHEMA_VERSION,
            graphTooltip=1,
            time=Time("now-6h", "now"),
            templating=Templating(list=list(self.variables)),
            links=[_other_pages(), *self.links],
            panels=list(self._placed()),
            editable=True,
        ).auto_panel_ids()
        made: Json = json.loads(json.dumps(dashboard.to_json_data(), cls=DashboardEncoder))
        return json.dumps(_alive(made), indent=2, sort_keys=True) + "\n"

    def _placed(self) -> Iterator[Panel]:
        y = 0
        for section in self.sections:
            yield attr.evolve(row(section.title), gridPos=GridPos(h=1, w=WIDTH, x=0, y=y))
            y += 1
            widths = section.widths or [WIDTH // len(section.panels)] * len(section.panels)
            x = 0
            for panel, width in zip(section.panels, widths, strict=True):
                if x + width > WIDTH:
                    x, y = 0, y + section.height
                yield attr.evolve(panel, gridPos=GridPos(h=section.height, w=width, x=x, y=y))
                x += width
            y += section.height


def link_to(uid: str, title: str, **variables: str) -> Json:
    """A link of a table's row to another dashboard, with the time and the data source. variables: to the label whose value
    they take; the table must show it."""
    kept = "${__url_time_range}&${datasource:queryparam}&${job:queryparam}"
    values = "".join(f"&var-{name}=${{__data.fields.{label}:percentencode}}" for name, label in variables.items())
    return {"title": title, "url": f"/d/{uid}?{kept}{values}"}


def _other_pages() -> Json:
    """The menu of all dashboards of this product."""
    return {
        "title": "sizewise",
        "type": "dashboards",
        "tags": [TAG],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }


def _alive(dashboard: Json) -> Json:
    """Without the keys that Grafana no longer knows, and without panel settings that say nothing."""
    kept = {key: value for key, value in dashboard.items() if key not in _DEAD}
    kept["panels"] = [_alive_panel(panel) for panel in kept["panels"]]
    kept["templating"] = {"list": [_alive_variable(variable) for variable in kept["templating"]["list"]]}
    return kept | {"timepicker": {}}


def _alive_variable(variable: Json) -> Json:
    """Chosen at first: everything where that may be chosen, else the first value that there is."""
    every = {"text": ["All"], "value": ["$__all"]}
    first: Json = {"text": "default", "value": "default"} if variable["type"] == "datasource" else {}
    return _without(variable, _DEAD_IN_VARIABLES) | {"current": every if variable["includeAll"] else first}


def _alive_panel(panel: Json) -> Json:
    if panel["type"] == "row":
        return {key: panel[key] for key in ("id", "type", "title", "collapsed", "gridPos", "panels")}
    kept = _without(panel, _DEAD_IN_PANELS)
    kept["targets"] = [
        {**_without(target, _DEAD_IN_TARGETS), "range": not target["instant"]} for target in kept["targets"]
    ]
    defaults = kept["fieldConfig"]["defaults"]
    defaults["custom"] = _without(defaults["custom"], frozenset({"displayMode"}))  # of tables before Grafana 9
    kept["fieldConfig"]["defaults"] = _without(defaults, frozenset())
    return kept


def _without(values: Mapping[str, Any], dead: frozenset[str]) -> Json:
    return {key: value for key, value in values.items() if key not in dead and value is not None}
