"""A real `sizewise up` and `sizewise webhook` on the log of `world`, and a real Prometheus that scrapes them."""

from __future__ import annotations

import json
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deploy.services.process import Process, free_port
from deploy.services.prometheus import PrometheusServer
from sizewise.process import opened
from stream.settings import LogSettings
from tests.dashboards import world
from tests.recommender.fingerprint.fleets import trained

RULES = Path(__file__).parents[2] / "deploy/prometheus"
DEADLINE_S = 60.0
_TARGETS, _SCRAPES = 3, 6
_SETTINGS = """
[log]
partitions = 1
[collector]
interval_s = 1
flush_interval_s = 1
[profiler]
commit_interval_s = 0.5
[recommender.consume]
commit_interval_s = 0.5
[api.metrics]
interval_ms = 500
[api.fingerprint]
model = "{model}"
[webhook]
watch = "no"
"""
_CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}/rules.yaml", "{rules}/alerts.yaml"]
scrape_configs:
  - {{job_name: sizewise, honor_labels: true, static_configs: [targets: ["127.0.0.1:{api}", "127.0.0.1:{replica}"]]}}
  - {{job_name: sizewise-roles, honor_labels: true, static_configs: [targets: ["127.0.0.1:{probe}"]]}}
"""
_POD = {"metadata": {"generateName": "cart-1-", "namespace": "shop"}, "spec": {"containers": [{"name": "server"}]}}
_REVIEW = {
    "apiVersion": "admission.k8s.io/v1",
    "kind": "AdmissionReview",
    "request": {
        "uid": "u",
        "operation": "CREATE",
        "namespace": "shop",
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "object": _POD,
    },
}


class Running:
    """Started by the first test that needs it, ended by `close`."""

    def __init__(self, prometheus_home: Path, folder: Path) -> None:
        self._folder = folder
        self._ends: list[Callable[[], object]] = []
        self._roles: list[Process] = []
        ports = {name: free_port() for name in ("api", "replica", "webhook", "probe")}
        self.api = f"http://127.0.0.1:{ports['api']}"
        try:
            self._start(prometheus_home, ports)
        except BaseException:
            self.close()
            raise

    def _start(self, prometheus_home: Path, ports: Mapping[str, int]) -> None:
        with opened(LogSettings(location=f"sqlite:{self._folder / 'sizewise.db'}", partitions=1)) as log:
            world.write(log)
        trained(self._folder / "model", "1000", kinds=("steady", "waves"))
        (self._folder / "settings.toml").write_text(_SETTINGS.format(model=self._folder / "model"))
        self._role("up", "--port", str(ports["api"]))
        self._role("serve", "--port", str(ports["replica"]))
        made = ("--port", str(ports["webhook"]), "--probe-port", str(ports["probe"]), "--cluster", world.CLUSTER)
        self._role("webhook", *made, "--made-in", f"folder:{self._folder / 'certificates'}")
        for port in ("api", "replica", "probe"):
            self.wait_for(lambda: text(f"http://127.0.0.1:{ports[port]}/readyz"))  # noqa: B023  (called at once)
        told = [used.workload.split("/")[3] for used in world.FLEET if used.gpu_uuid]
        self.wait_for(lambda: all(f'workload="{name}"' in self._advice() for name in told))
        config = _CONFIG.format(rules=RULES, **ports)
        self.prometheus = PrometheusServer(prometheus_home, config=config)
        self._ends.append(self.prometheus.close)
        while self._scrapes() < _SCRAPES:  # a rate needs two that differ, and rules their turn
            self._ask(ports["webhook"])
            time.sleep(1)

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The vector that Prometheus answers now. Raises AssertionError with its word when it refuses."""
        return list(self._get("query", query=expr)["result"])

    def label_values(self, series: str, label: str) -> list[str]:
        return list(self._get(f"label/{label}/values", **{"match[]": series}))

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its state, as Prometheus evaluates it."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def close(self) -> None:
        while self._ends:
            self._ends.pop()()

    def wait_for(self, what: Callable[[], Any]) -> Any:
        """The first true value of `what`; a process that ends meanwhile is told with the end of its output."""
        deadline = time.monotonic() + DEADLINE_S
        while not (found := what()):
            ended = [f"{role.name} ended:\n{role.tail()}" for role in self._roles if not role.alive()]
            assert not ended, "\n".join(ended)
            assert time.monotonic() < deadline, "\n".join(role.tail() for role in self._roles)
            time.sleep(0.1)
        return found

    def _scrapes(self) -> float:
        """Of the target that has fewest; Prometheus begins some seconds after its start."""
        counts = [float(one["value"][1]) for one in self.query("count_over_time(up[5m])")]
        return min(counts) if len(counts) == _TARGETS else 0.0

    def _advice(self) -> str:
        lines = (text(f"{self.api}/metrics") or "").splitlines()
        return "\n".join(line for line in lines if line.startswith("sizewise_workload_mig_advice_info"))

    def _role(self, *words: str) -> None:
        shared = (f"--config={self._folder / 'settings.toml'}", f"--state={self._folder}")
        command = [sys.executable, "-m", "sizewise", *words, *shared]
        process = Process(f"sizewise {words[0]}", command, self._folder / f"{words[0]}.log")
        self._roles.append(process)
        self._ends.append(lambda: process.stop(10.0))

    def _ask(self, webhook: int) -> None:
        """Questions of people and schedulers to the API, and reviews for the webhook, whose certificate is its own."""
        assert text(f"{self.api}/v1/workloads")
        assert text(f"{self.api}/v1/recommendations")
        post(f"{self.api}/v1/extender/filter", {"Pod": _POD, "NodeNames": ["h100-1"]})
        anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        assert post(f"https://127.0.0.1:{webhook}/mutate", _REVIEW, anyone)["response"]["allowed"]

    def _get(self, path: str, **parameters: str) -> Any:
        url = f"{self.prometheus.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error


def text(url: str) -> str | None:
    """None while nobody answers, or 503."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bytes(answer.read()).decode()
    except (OSError, urllib.error.HTTPError):
        return None


def post(url: str, body: object, tls: ssl.SSLContext | None = None) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=5, context=tls) as answer:
        return json.load(answer)
