"""Every query of every panel, variable and rule, asked of a real Prometheus that scrapes a real sizewise."""

from __future__ import annotations

import math
import re

import pytest

from dashboards.queries import fleet
from models.fleet_metrics import FLEET_CATALOGUE
from models.metrics import CATALOGUE
from tests.dashboards.rendered import Asked, Json, asked, chosen, dashboards, metrics_of, panels
from tests.dashboards.rules import Rule, rules
from tests.dashboards.running import Running, text

ALL = {"__rate_interval": "10s", "job": ".+", "instance": ".+", "cluster": ".+", "namespace": ".*", "workload": ".*"}
ONE = ALL | {"cluster": "prod", "namespace": "ml", "workload": "train"}
"""The dashboard of one workload: a job that has GPUs, is throttled and was OOM-killed."""


def _values(dashboard: str) -> dict[str, str]:
    return ONE if dashboard == "sizewise-workload" else ALL


@pytest.mark.parametrize("query", list(asked()), ids=str)
def test_every_query_returns_data(running: Running, query: Asked) -> None:
    """With all variables at All; on the workload's dashboard, with one workload. A number, and not NaN."""
    answer = running.query(chosen(query.expr, _values(query.dashboard)))
    assert any(not math.isnan(float(series["value"][1])) for series in answer), query.expr


@pytest.mark.parametrize("dashboard", dashboards(), ids=lambda d: d["uid"])
def test_every_variable_has_values(running: Running, dashboard: Json) -> None:
    """`label_values(series, label)`, with the variables before it at All."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            *series, label = variable["query"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
            assert running.label_values(chosen(series[0], ALL), label), variable["name"]


@pytest.mark.parametrize("dashboard", dashboards(), ids=lambda d: d["uid"])
def test_every_label_that_a_panel_shows_is_there(running: Running, dashboard: Json) -> None:
    """In legends, as they come. In columns of tables, as declared: Prometheus leaves out a label whose value is empty."""
    known = CATALOGUE | FLEET_CATALOGUE
    for panel in panels(dashboard):
        every: set[str] = set()
        for target in panel["targets"]:
            answer = running.query(chosen(target["expr"], _values(dashboard["uid"])))
            labels = {label for series in answer for label in series["metric"]}
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels, panel["title"]
            every.update(*(known[name].labels for name in metrics_of(target["expr"]) & known.keys()))
        for step in panel["transformations"]:
            names = {name for name in step["options"].get("include", {}).get("names", []) if name[:5] != "Value"}
            assert names <= every, panel["title"]


@pytest.mark.parametrize("rule", list(rules()), ids=lambda rule: rule.name)
def test_every_rule_returns_data(running: Running, rule: Rule) -> None:
    """Of alerts the value that is compared with the threshold: the series are there, whether it fires or not."""
    assert running.query(rule.value), rule.value


def test_prometheus_evaluates_every_rule(running: Running) -> None:
    """None failed, and those alerts that this fleet must wake are waiting for their time."""
    states = {rule["name"]: rule for rule in running.rules()}
    assert {rule.name for rule in rules()} == set(states)
    assert {name: rule["lastError"] for name, rule in states.items() if rule["health"] != "ok"} == {}
    awake = {name for name, rule in states.items() if rule.get("state", "inactive") != "inactive"}
    assert awake >= {"SizewiseWorkloadOOMRisk", "SizewiseWorkloadThrottled", "SizewiseGpuIdle", "SizewiseModelStale"}
    notes = [alert["annotations"] for rule in states.values() for alert in rule.get("alerts", [])]
    assert not [text for note in notes for text in note.values() if "<no value>" in text or "error" in text]


def test_replicas_that_tell_the_same_count_once(running: Running) -> None:
    """Two processes answer from one log. Totals of dashboards and rules are those of one of them; of this machine's own
    workloads the two may be a moment apart, of the others not."""
    name = "sizewise_namespace_cpu_requested_cores"
    apart = running.query(f'sum by (instance) ({name}{{cluster="prod"}})')
    together = running.query(chosen(f"sum({fleet(name, cluster='prod')})", ALL))
    assert len(apart) == 2
    assert {one["value"][1] for one in together} == {one["value"][1] for one in apart}


def test_what_is_scraped_is_declared(running: Running) -> None:
    """Each family and its labels, as /metrics of the API has them."""
    known = CATALOGUE | FLEET_CATALOGUE
    for line in (text(f"{running.api}/metrics") or "").splitlines():
        name = re.match(r"sizewise_[a-z0-9_]+", line)
        if name is None:
            continue
        family = re.sub(r"_(bucket|count|sum|created)$", "", name[0])
        spec = known.get(name[0]) or known.get(family) or known[family + "_total"]
        assert set(re.findall(r'[{,]([a-z_]+)="', line)) <= {*spec.labels, "le"}, line
