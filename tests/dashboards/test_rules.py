"""Alerts and recording rules: promtool checks them, and each alert fires when it should and not when it should not."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from models.fleet_metrics import FLEET_CATALOGUE
from models.metrics import CATALOGUE
from tests.dashboards.rendered import metrics_of
from tests.dashboards.rules import FILES, FOLDER, rules

RUNBOOK = FOLDER.parents[1] / "docs/runbook.md"
_WHO = 'cluster="c", namespace="n", kind="Deployment", workload="w", container="m"'
_AT = 'job="sizewise", instance="a"'
_API = "sizewise_api_requests_total"
_WEBHOOK = "sizewise_webhook_reviews_total"
_BUCKET = "sizewise_api_request_seconds_bucket"
_REVIEW = "sizewise_webhook_review_seconds_bucket"
_SLOW = "0+10x4000"
"""Ten observations a minute. A histogram all of whose observations lie in its last bucket is slow."""


@dataclass(frozen=True, slots=True)
class Case:
    """fires, quiet: series and their values a minute apart, with which the alert fires or not. after: minutes."""

    alert: str
    after: int
    fires: Sequence[tuple[str, str]]
    quiet: Sequence[tuple[str, str]]


def one(alert: str, after: int, series: str, fires: str, quiet: str) -> Case:
    return Case(alert, after, [(series, fires)], [(series, quiet)])


def share(alert: str, counter: str, label: str, bad: str, good: str) -> Case:
    """Two of a hundred bad fires, one of two hundred does not."""
    lots, few = f'{counter}{{{_AT}, {label}="{good}"}}', f'{counter}{{{_AT}, {label}="{bad}"}}'
    return Case(alert, 30, [(lots, "0+98x60"), (few, "0+2x60")], [(lots, "0+199x60"), (few, "0+1x60")])


def slow(alert: str, bucket: str, line: float, extra: str = "") -> Case:
    """All above the line, or all below it."""
    low, high, rest = (f'{bucket}{{{_AT}{extra}, le="{le}"}}' for le in (line, 10 * line, "+Inf"))
    return Case(alert, 30, [(low, "0x60"), (high, _SLOW), (rest, _SLOW)], [(low, _SLOW), (high, _SLOW), (rest, _SLOW)])


def idle(share_of_time: str) -> list[tuple[str, str]]:
    return [
        (f"sizewise_workload_gpus_held{{{_WHO}}}", "1x300"),
        (f'sizewise_workload_gpu_time_ratio{{{_WHO}, class="idle", io_kind="none"}}', share_of_time),
    ]


def ratio(over: str, under: str, values: tuple[str, str], labels: str) -> list[tuple[str, str]]:
    return [(f"{over}{{{labels}}}", values[0]), (f"{under}{{{labels}}}", values[1])]


_MEMORY = ("sizewise_workload_memory_recommended_lower_bytes", "sizewise_workload_memory_limit_bytes")
_CPU = ("sizewise_namespace_cpu_saving_cores", "sizewise_namespace_cpu_requested_cores")
_SPACE = 'cluster="c", namespace="n"'
_EXPIRY = f"sizewise_webhook_certificate_expiry_timestamp_seconds{{{_AT}}}"

CASES = [
    one("SizewiseDown", 10, f"up{{{_AT}}}", "1x2 0x20", "1x20"),
    one("SizewiseCollectorSilent", 30, f'sizewise_collector_rows_total{{{_AT}, source="host"}}', "7x60", "0+1x60"),
    one(
        "SizewiseSourceFailing",
        40,
        f'sizewise_collector_source_errors_total{{{_AT}, source="dcgm"}}',
        "0+1x60",
        "0x20 1x40",
    ),
    one(
        "SizewiseCoverageDropped",
        130,
        f'sizewise_coverage_nodes{{{_AT}, source="dcgm", signal="sm_active_ratio", seen="true"}}',
        "10x60 7x100",
        "10x60 9x100",
    ),
    one(
        "SizewiseStageLag",
        40,
        f'sizewise_stage_lag_messages{{{_AT}, stage="profile", stream="telemetry"}}',
        "20000x60",
        "20000x10 0x10 20000x10 0x30",
    ),
    one("SizewiseOutboxFilling", 40, f"sizewise_outbox_messages{{{_AT}}}", "500x60", "500x5 0x5 500x5 0x60"),
    one("SizewiseOutboxDropping", 30, f"sizewise_outbox_dropped_messages_total{{{_AT}}}", "0x25 5x30", "5x60"),
    one(
        "SizewiseDeadLetters",
        30,
        f'sizewise_stage_dead_letters_total{{{_AT}, stage="profile", reason="malformed"}}',
        "0x25 1x30",
        "1x60",
    ),
    one(
        "SizewiseStageRestarting", 30, f'sizewise_stage_restarts_total{{{_AT}, stage="profile"}}', "0+1x60", "0x20 1x40"
    ),
    one(
        "SizewiseModelStale",
        90,
        f'sizewise_model_age_seconds{{{_AT}, model="fingerprint"}}',
        f"{40 * 86400}x120",
        "60x120",
    ),
    one("SizewiseViewStale", 30, f"sizewise_view_age_seconds{{{_AT}}}", "1000x60", "800x60"),
    share("SizewiseApiErrors", _API, "status", "500", "200"),
    slow("SizewiseApiSlow", _BUCKET, 1.0, ', route="/v1/place"'),
    share("SizewiseWebhookErrors", _WEBHOOK, "outcome", "late", "applied"),
    slow("SizewiseWebhookSlow", _REVIEW, 0.1),
    one("SizewiseCertificateExpiry", 90, _EXPIRY, f"{6 * 86400}x120", f"{30 * 86400}x120"),
    one("SizewiseWorkloadOOMKilled", 30, f"sizewise_workload_oom_kills_total{{{_WHO}}}", "3x25 4x30", "3x60"),
    Case(
        "SizewiseWorkloadOOMRisk",
        60,
        ratio(*_MEMORY, ("3e9x90", "2e9x90"), _WHO),
        ratio(*_MEMORY, ("2e9x90", "2e9x90"), _WHO),
    ),
    one("SizewiseWorkloadThrottled", 60, f"sizewise_workload_cpu_throttled_ratio{{{_WHO}}}", "0.4x90", "0.1x90"),
    Case("SizewiseGpuIdle", 200, idle("0.9x300"), idle("0.9x60 0.2x240")),
    Case(
        "SizewiseNamespaceWaste",
        1500,
        ratio(*_CPU, ("60x1600", "100x1600"), _SPACE),
        ratio(*_CPU, ("40x1600", "100x1600"), _SPACE),
    ),
]


def test_each_alert_has_a_case() -> None:
    """No alert without one."""
    assert {case.alert for case in CASES} == {rule.name for rule in rules() if rule.alerts}


def test_promtool_finds_the_files_right(prometheus_home: Path) -> None:
    """Rules, alerts, and the scrape configuration that names them."""
    tool = prometheus_home / "usr/bin/promtool"
    for words in (["check", "rules", *map(str, FILES)], ["check", "config", str(FOLDER / "prometheus.yml")]):
        done = subprocess.run([str(tool), *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_and_keeps_quiet(prometheus_home: Path, tmp_path: Path) -> None:
    """By `promtool test rules`, with series as they are when it must fire, and when it must not."""
    tests = [test for case in CASES for test in _tests(case)]
    file = tmp_path / "alerts_test.yaml"
    file.write_text(
        yaml.safe_dump({"rule_files": [str(f) for f in FILES], "evaluation_interval": "1m", "tests": tests})
    )
    tool = prometheus_home / "usr/bin/promtool"
    done = subprocess.run([str(tool), "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _tests(case: Case) -> list[dict[str, object]]:
    asked = f'count(ALERTS{{alertname="{case.alert}", alertstate="firing"}})'
    firing = {"expr": asked, "eval_time": f"{case.after}m", "exp_samples": [{"labels": "{}", "value": 1}]}
    silent = {"expr": asked, "eval_time": f"{case.after}m", "exp_samples": []}
    return [
        {
            "name": f"{case.alert} {name}",
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in given],
            "promql_expr_test": [wanted],
        }
        for name, given, wanted in (("fires", case.fires, firing), ("keeps quiet", case.quiet, silent))
    ]


def test_promtool_sees_a_rule_that_is_wrong(prometheus_home: Path, tmp_path: Path) -> None:
    """The same test with what must fire and must not exchanged fails, so it can fail."""
    case = CASES[0]
    tests = _tests(Case(case.alert, case.after, case.quiet, case.fires))
    file = tmp_path / "alerts_test.yaml"
    file.write_text(
        yaml.safe_dump({"rule_files": [str(f) for f in FILES], "evaluation_interval": "1m", "tests": tests})
    )
    done = subprocess.run(
        [str(prometheus_home / "usr/bin/promtool"), "test", "rules", str(file)], capture_output=True, check=False
    )
    assert done.returncode != 0


def test_every_metric_of_a_rule_is_declared() -> None:
    """In a catalogue; `up` is Prometheus' own, and recorded names are those of rules.yaml."""
    recorded = {rule.name for rule in rules() if not rule.alerts}
    for rule in rules():
        used = set(re.findall(r"\b(?:namespace|cluster|workload|stage|job):[a-z0-9_:]+", rule.expr))
        assert used <= recorded, rule.name
        plain = re.sub(r"\b(?:namespace|cluster|workload|stage|job):[a-z0-9_:]+", "", rule.expr)
        assert metrics_of(plain) <= {*CATALOGUE, *FLEET_CATALOGUE}, rule.name


def test_each_alert_says_what_is_wrong_and_what_to_do() -> None:
    """Severity, summary, description, and a section of the runbook under its anchor; no section without an alert."""
    sections = set(re.findall(r"^### (\w+)$", RUNBOOK.read_text(), re.MULTILINE))
    alerts = [rule for rule in rules() if rule.alerts]
    assert sections == {rule.name for rule in alerts}
    for rule in alerts:
        assert rule.labels["severity"] in {"critical", "warning", "info"}
        assert {"summary", "description", "runbook_url"} == set(rule.annotations)
        assert rule.annotations["runbook_url"].endswith(f"docs/runbook.md#{rule.name.lower()}")
        assert rule.value != rule.expr, f"{rule.name} must end in a threshold"


def test_recorded_names_tell_level_metric_and_operation() -> None:
    """`level:metric:operation`, as Prometheus' own practice has it."""
    for rule in (rule for rule in rules() if not rule.alerts):
        assert re.fullmatch(r"(namespace|cluster|workload|stage|job):sizewise_[a-z_]+:[a-z0-9_]+", rule.name), rule.name
