"""The rule files as they are shipped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

FOLDER = Path(__file__).parents[2] / "deploy/prometheus"
FILES = (FOLDER / "rules.yaml", FOLDER / "alerts.yaml")
_THRESHOLD = re.compile(r"\s*(<=|>=|<|>)\s*[0-9.]+$")


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    expr: str
    alerts: bool
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def value(self) -> str:
        """What an alert compares with its threshold; of a recording rule the whole."""
        return _THRESHOLD.sub("", self.expr) if self.alerts else self.expr


def rules() -> Iterator[Rule]:
    for file in FILES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                name = rule.get("alert") or rule["record"]
                yield Rule(name, rule["expr"], "alert" in rule, rule.get("labels", {}), rule.get("annotations", {}))
