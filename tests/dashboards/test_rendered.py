"""The JSON that Grafana loads: up to date, current, clean, and linked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from dashboards.__main__ import FOLDER, out_of_date, texts
from dashboards.queries import PROCESS_METRICS, fleet
from models.fleet_metrics import FLEET_CATALOGUE
from models.metrics import CATALOGUE
from tests.dashboards import lint
from tests.dashboards.rendered import FILES, Json, asked, dashboards, metrics_of, panels

DEPLOY = FOLDER.parents[1] / "deploy"
DEAD_KEYS = {"__inputs", "gnetId", "rows", "sharedCrosshair", "style", "hideControls", "span", "minSpan", "editable_"}
OLD_PANELS = {"graph", "singlestat", "table-old", "grafana-piechart-panel"}


def test_what_is_committed_is_what_the_sources_say(tmp_path: Path) -> None:
    """`python -m dashboards --check` agrees; a file that was changed, is missing or has no source is named."""
    assert out_of_date(FOLDER) == []
    subprocess.run([sys.executable, "-m", "dashboards", "--check"], check=True)
    for name, text in texts().items():
        (tmp_path / name).write_text(text)
    (tmp_path / "sizewise-fleet.json").write_text("{}")
    (tmp_path / "sizewise-gpus.json").unlink()
    (tmp_path / "left-over.json").write_text("{}")
    assert out_of_date(tmp_path) == ["left-over.json", "sizewise-fleet.json", "sizewise-gpus.json"]


@pytest.mark.parametrize("dashboard", dashboards(), ids=lambda d: d["uid"])
def test_the_json_is_of_the_current_schema_and_has_no_dead_keys(dashboard: Json) -> None:
    """schemaVersion 42, a uid that stays, no id, no key of old Grafanas, no panel that Grafana dropped."""
    assert (dashboard["schemaVersion"], dashboard["id"], dashboard["timezone"]) == (42, None, "browser")
    assert dashboard["tags"] == ["sizewise"]
    assert re.fullmatch(r"[a-z-]{1,40}", dashboard["uid"])
    keys = set(re.findall(r'"([A-Za-z_]+)":', json.dumps(dashboard)))
    assert not keys & DEAD_KEYS
    assert not {panel["type"] for panel in dashboard["panels"]} & OLD_PANELS


def test_uids_are_those_of_the_files_and_titles_differ() -> None:
    """A file is found by the uid that links use."""
    assert [file.stem for file in FILES] == [dashboard["uid"] for dashboard in dashboards()]
    assert len({dashboard["title"] for dashboard in dashboards()}) == len(FILES) == 5


@pytest.mark.parametrize("dashboard", dashboards(), ids=lambda d: d["uid"])
def test_panels_lie_side_by_side(dashboard: Json) -> None:
    """No two share a place on the grid of 24 columns, and their ids differ."""
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_the_linter_finds_nothing() -> None:
    """What `.lint` excuses has a reason there."""
    assert lint.faults() == set()


def test_the_linter_finds_what_is_wrong() -> None:
    """Each rule, on a panel and a dashboard that break it."""
    target = {"datasource": {"uid": "prom"}, "expr": "rate(sizewise_stage_records_total[5m])", "refId": "A"}
    panel = {"id": 1, "title": "x", "description": "", "type": "timeseries", "targets": [target]}
    panel |= {"datasource": None, "fieldConfig": {"defaults": {}}}
    variable = {"name": "v", "type": "query", "query": "metrics(x)"}
    broken = {"title": "d", "panels": [panel], "templating": {"list": [variable]}}
    assert {rule for rule, *_ in lint.found(broken)} == {*lint._OF_DASHBOARDS, *lint._OF_PANELS}


def test_every_exception_of_the_linter_is_needed() -> None:
    """An entry that excuses nothing is removed."""
    found = {(rule, title, panel) for dashboard in dashboards() for rule, title, panel, _ in lint.found(dashboard)}
    for rule, entries in lint.exceptions().items():
        for entry in entries:
            hits = [f for f in found if f[:2] == (rule, entry["dashboard"]) and f[2] == entry.get("panel", f[2])]
            assert hits, (rule, entry)


def test_every_metric_of_a_query_is_declared() -> None:
    """In the catalogue of sizewise itself or of the fleet; or prometheus_client's own."""
    known = {*CATALOGUE, *FLEET_CATALOGUE, *PROCESS_METRICS}
    for query in asked():
        assert metrics_of(query.expr) <= known, query
        assert metrics_of(query.expr), query


def test_a_label_that_a_metric_lacks_is_refused() -> None:
    """The catalogue knows the labels too."""
    with pytest.raises(KeyError, match="has no label 'colour'"):
        fleet("sizewise_workload_gpus", colour="red")


def test_links_lead_to_dashboards_that_are_there_and_give_variables_that_they_have() -> None:
    """Of rows of tables. The labels that they take are columns of the table."""
    known = {dashboard["uid"]: {v["name"] for v in dashboard["templating"]["list"]} for dashboard in dashboards()}
    links = 0
    for dashboard in dashboards():
        for panel in panels(dashboard):
            columns = {
                name for t in panel["transformations"] for name in t["options"].get("include", {}).get("names", [])
            }
            for override in panel["fieldConfig"]["overrides"]:
                for link in (p["value"] for p in override["properties"] if p["id"] == "links"):
                    links += len(link)
                    for one in link:
                        parts = urlsplit(one["url"].replace("&${", "&kept=${").replace("?${", "?kept=${"))
                        given = dict(parse_qsl(parts.query))
                        given.pop("kept")
                        assert {name.removeprefix("var-") for name in given} <= known[parts.path.removeprefix("/d/")]
                        labels = {
                            re.sub(r"\$\{__data\.fields\.(\w+):percentencode\}", r"\1", v) for v in given.values()
                        }
                        assert labels <= columns, panel["title"]
    assert links >= 6


def test_grafana_is_provisioned_with_a_data_source_and_the_folder_of_dashboards() -> None:
    """The provider reads the folder that the data source's Prometheus fills."""
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/sizewise.yaml").read_text())
    providers = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/sizewise.yaml").read_text())
    assert [source["type"] for source in sources["datasources"]] == ["prometheus"]
    (provider,) = providers["providers"]
    assert provider["type"] == "file"
    assert provider["allowUiUpdates"] is False
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards/sizewise"
