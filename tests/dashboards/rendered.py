"""The rendered dashboards as Grafana reads them, and what a panel asks once its variables are chosen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.__main__ import FOLDER

Json = dict[str, Any]
FILES = sorted(FOLDER.glob("*.json"))
_METRIC = re.compile(r"\b(?:sizewise|process)_[a-z0-9_]+")
_SUFFIX = re.compile(r"_(bucket|count|sum)$")


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of a panel."""

    dashboard: str
    panel: Json
    expr: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel['title']}"


def dashboards() -> list[Json]:
    return [json.loads(file.read_text()) for file in FILES]


def panels(dashboard: Json) -> list[Json]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def asked() -> Iterator[Asked]:
    for dashboard in dashboards():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield Asked(dashboard["uid"], panel, target["expr"])


def chosen(text: str, values: Mapping[str, str]) -> str:
    """With variables replaced, `$name` and `${name}`."""
    for name, value in sorted(values.items(), key=lambda item: -len(item[0])):
        text = text.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return text


def metrics_of(expr: str) -> set[str]:
    """Names of metrics in a query, of histograms without their suffix."""
    names = {name for name in _METRIC.findall(re.sub(r'"[^"]*"', "", expr)) if not name.startswith("sizewise_:")}
    return {_SUFFIX.sub("", name) for name in names}
