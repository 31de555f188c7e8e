"""`sizewise import prometheus` as a whole process on a real server, to a report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.collector.prometheus.conftest import Serve, serve  # noqa: F401  # a fixture
from tests.collector.prometheus.world import Container, World

pytestmark = pytest.mark.timeout(120)


def sizewise(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"SIZEWISE_STATE": str(state)}
    return subprocess.run(
        [sys.executable, "-m", "sizewise", *words], env=environment, capture_output=True, text=True, check=False
    )


def recent(hours: int) -> list[float]:
    """Each minute up to now."""
    now = int(time.time())
    return [float(now - 60 * i) for i in range(hours * 60)][::-1]


def test_a_history_becomes_a_report(serve: Serve, tmp_path: Path) -> None:  # noqa: F811  # the fixture
    """Import, profile, recommend: the report has the Deployment of the pod, its usage and a target above it."""
    world, times = World(), recent(30)
    Container("shop", "web-7d9f8b6c5d-x2x4z", "nginx").add_to(world, times, [0.5] * len(times), [2.0**29] * len(times))
    server = serve(world)
    day = "23h59m30s"  # begins midway between two samples, so that starting the server may take some seconds
    imported = sizewise(tmp_path, "import", "prometheus", "--url", server.url, "--since", day, "--cluster", "prod")
    assert imported.returncode == 0, imported.stderr
    assert "1,440 rows" in imported.stderr
    again = sizewise(tmp_path, "import", "prometheus", "--url", server.url, "--since", day, "--cluster", "prod")
    assert again.returncode in (0, 4), again.stderr
    stages = [
        subprocess.Popen([sys.executable, "-m", "sizewise", stage], env=os.environ | {"SIZEWISE_STATE": str(tmp_path)})
        for stage in ("profile", "recommend")
    ]
    try:
        report = sizewise(tmp_path, "report", "--wait", "60", "-o", "json")
    finally:
        for stage in stages:
            stage.terminate()
            stage.wait()
    assert report.returncode == 0, report.stderr
    (workload,) = json.loads(report.stdout)["workloads"]
    assert workload["id"] == "prod/shop/Deployment/web/nginx"
    assert workload["cpu"]["usage_p95_cores"] == pytest.approx(0.5, rel=0.05)
    assert workload["memory"]["usage_peak_bytes"] == 2**29


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--url", "http://127.0.0.1:1"], 3, "no connection"),
        (["--url", "http://127.0.0.1:1", "--since", "soon"], 2, "no duration"),
        (["--url", "http://127.0.0.1:1", "--header", "X-Scope-OrgID"], 2, "no header"),
        (["--url", "http://127.0.0.1:1", "--token-file", "absent"], 1, "absent"),
        ([], 2, "--url"),
    ],
)
def test_what_cannot_work_ends_in_one_line_with_the_mend(
    tmp_path: Path, words: list[str], code: int, says: str
) -> None:
    """After a line for each try where there were several; the exit code says whose fault it is."""
    done = sizewise(tmp_path, "import", "prometheus", *words)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == code
    assert last.startswith("sizewise: ")
    assert says in last
