"""`sizewise backtest URL` on a real server."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from collector.prometheus.settings import ImportSettings, ServerSettings
from deploy.services.prometheus import PrometheusServer
from sizewise.exits import NO_DATA, UNAVAILABLE, Exit
from sizewise.history import read_history, read_url
from tests.collector.prometheus.conftest import Serve, serve  # noqa: F401  # a fixture
from tests.collector.prometheus.world import Container, World

STEP = ImportSettings(cluster="prod", step_s=300.0)


def recent(hours: int) -> list[float]:
    """Each minute up to now."""
    now = int(time.time())
    return [float(now - 60 * i) for i in range(hours * 60)][::-1]


def test_a_server_is_read_as_an_import_reads_it(serve: Serve) -> None:  # noqa: F811  # the fixture
    """Two days of one container: its Deployment's name, half a core, memory that peaks at 1 GiB in each five minutes, and
    the 4 GiB that are requested. `match` chooses."""
    world, times = World(), recent(48)
    memory = [2.0**30 if number % 5 == 0 else 2.0**29 for number in range(len(times))]
    pod = Container("shop", "web-7d9f8b6c5d-x2x4z", "nginx")
    pod.add_to(world, times, [0.5] * len(times), memory)
    world.add(
        "kube_pod_container_resource_requests", [(at, 2.0**32) for at in times],
        namespace="shop", pod=pod.pod, container="nginx", resource="memory", unit="byte",
    )  # fmt: skip
    url = serve(world).url
    told: list[float] = []
    fleet = read_url(ServerSettings(url), STEP, 40 * 3600.0, told.append)
    assert list(fleet["memory"].workloads) == ["prod/shop/Deployment/web/nginx"]
    for resource, value in (("cpu", 0.5), ("memory", 2.0**30)):
        samples = fleet[resource].samples  # type: ignore[index]
        assert 470 <= np.count_nonzero(~np.isnan(samples)) <= 480
        assert np.nanmedian(samples) == pytest.approx(value, rel=1e-6)
    assert np.nanmax(fleet["memory"].provisioned) == 2.0**32
    assert told == sorted(told)
    assert told[-1] == 1.0
    other = ImportSettings(cluster="prod", step_s=300.0, match='namespace="other"')
    with pytest.raises(Exit) as nothing:
        read_url(ServerSettings(url), other, 3600.0)
    assert nothing.value.exit_code == NO_DATA


def test_what_promtool_dumps_is_read(prometheus_home: Path, tmp_path: Path) -> None:
    """The same history from the server's own files, as promtool writes it out: names, minutes and values are the same."""
    world, times = World(), recent(48)
    Container("shop", "web-7d9f8b6c5d-x2x4z", "nginx").add_to(world, times, [0.5] * len(times), [2.0**30] * len(times))
    server = PrometheusServer(prometheus_home)
    server.stop()
    world.write_into(server, tmp_path)
    file = tmp_path / "usage.prom"
    with file.open("wb") as out:
        subprocess.run([prometheus_home / "usr/bin/promtool", "tsdb", "dump", server.data], stdout=out, check=True)
    server.close()
    fleet = read_history(file)
    for resource, value in (("cpu", 0.5), ("memory", 2.0**30)):
        usage = fleet[resource]  # type: ignore[index]
        assert list(usage.workloads) == ["prometheus/shop/Deployment/web/nginx"]
        assert np.nanmedian(usage.samples) == pytest.approx(value, rel=1e-6)
        assert 574 <= np.count_nonzero(~np.isnan(usage.samples)) <= 577


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Exit, match=r"127\.0\.0\.1:9") as raised:
        read_url(ServerSettings("http://127.0.0.1:9", retries=0), STEP, 3600.0)
    assert raised.value.exit_code == UNAVAILABLE
