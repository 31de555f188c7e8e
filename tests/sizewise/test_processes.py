"""Whole processes on this machine: everything in one, roles apart, ends and starts."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

DEADLINE_S = 60.0
SHORT = {
    "SIZEWISE_COLLECTOR__INTERVAL_S": "0.5",
    "SIZEWISE_COLLECTOR__FLUSH_INTERVAL_S": "1",
    "SIZEWISE_PROFILER__COMMIT_INTERVAL_S": "0.5",
    "SIZEWISE_RECOMMENDER__CONSUME__COMMIT_INTERVAL_S": "0.5",
}


class Processes:
    """Starts `sizewise` with one state folder, and ends what is left."""

    def __init__(self, state: Path) -> None:
        self.state, self.started = state, []  # type: tuple[Path, list[subprocess.Popen[str]]]

    def start(self, *words: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SIZEWISE_")}
        environment = kept | SHORT | {"SIZEWISE_STATE": str(self.state), "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "sizewise", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    yield made
    made.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def wait_for(what: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    """The first true value of `what`; refused connections and 503 count as not yet."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        try:
            if found := what():
                return found
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"not within {DEADLINE_S} s")


def url_in(process: subprocess.Popen[str]) -> str:
    """The address of the API as `up` prints it."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"(http://\S+)/v1/workloads", line):
            return found[1]
    raise AssertionError("no address was printed")


def sized(url: str) -> dict[str, Any]:
    """Workloads that have a CPU target, by id."""
    found = get(f"{url}/v1/workloads?limit=1000")["workloads"]
    return {w["id"]: w for w in found if w["cpu"]["target_cores"] is not None}


@pytest.mark.slow
def test_up_shows_this_machines_workloads_and_goes_on_after_a_restart(processes: Processes) -> None:
    """Plausible numbers: usage within the machine, a target within its bounds. After SIGTERM, exit code 0, and a
    second start knows what the first one saw. The port is taken the second time, so it takes another."""
    port = free_port()
    first = processes.start("up", "--port", str(port))
    url = url_in(first)
    assert url == f"http://127.0.0.1:{port}"
    workloads = wait_for(lambda: sized(url), first)
    node = get(f"{url}/v1/nodes")["nodes"][0]
    for workload in workloads.values():
        cpu, memory = workload["cpu"], workload["memory"]
        assert 0 <= cpu["usage_p50_cores"] <= cpu["usage_peak_cores"] <= 1.5 * node["cpu_cores"]
        assert 0 < memory["usage_peak_bytes"] <= node["memory_bytes"]
        assert cpu["lower_cores"] <= cpu["target_cores"] <= cpu["upper_cores"]
        assert memory["target_bytes"] >= memory["usage_peak_bytes"] or "cap" in str(memory["reasons"])
    first.send_signal(signal.SIGTERM)
    text, _ = first.communicate(timeout=DEADLINE_S)
    assert first.returncode == 0
    assert "Stopped." in text
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        second = processes.start("up", "--port", str(port))
        url = url_in(second)
        assert url != f"http://127.0.0.1:{port}"
        again = wait_for(lambda: sized(url), second)
    known = workloads.keys() & again.keys()
    assert known
    assert all(again[name]["first_seen"] <= workloads[name]["first_seen"] for name in known)


@pytest.mark.slow
def test_roles_apart_share_one_log(processes: Processes) -> None:
    """collect, two profilers, recommend and serve as processes of their own; each ends cleanly on Ctrl-C."""
    port, metrics = free_port(), free_port()
    roles = [
        processes.start("collect", "--metrics-port", str(metrics)),
        processes.start("profile"),
        processes.start("profile"),
        processes.start("recommend"),
        processes.start("serve", "--port", str(port)),
    ]
    url = f"http://127.0.0.1:{port}"
    assert wait_for(lambda: sized(url), roles[-1])
    assert get(f"{url}/readyz")["status"] == "ready"
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=5) as answer:
        assert b'sizewise_outbox_sent_messages_total{stream="telemetry"}' in answer.read()
    report = subprocess.run(
        [sys.executable, "-m", "sizewise", "report", "--url", url, "-o", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(report.stdout)["total"] > 0
    for role in roles:
        role.send_signal(signal.SIGINT)
    for role in roles:
        text, _ = role.communicate(timeout=DEADLINE_S)
        assert role.returncode == 0, text
        assert "Traceback" not in text


def test_a_taken_port_is_one_line_with_the_mend(processes: Processes) -> None:
    """`serve` does not choose another port by itself: something is to find it there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = processes.start("serve", "--port", str(taken.getsockname()[1]))
        text, _ = server.communicate(timeout=DEADLINE_S)
    assert server.returncode == 1
    assert re.search(r"sizewise: cannot listen on 127.0.0.1:\d+: .*; choose another --port, 0 for a free one", text)


def test_a_recording_can_be_played(processes: Processes, tmp_path: Path) -> None:
    """Two seconds of this machine, played as fast as possible: telemetry is in the log."""
    recorder = processes.start("record", "--for", "3", str(tmp_path / "a.rec"))
    text, _ = recorder.communicate(timeout=DEADLINE_S)
    assert recorder.returncode == 0, text
    player = processes.start("replay", str(tmp_path / "a.rec"), "--speed", "max")
    text, _ = player.communicate(timeout=DEADLINE_S)
    assert player.returncode == 0, text
    shown = processes.start("log", "streams", "-o", "json")
    text, _ = shown.communicate(timeout=DEADLINE_S)
    assert {row["stream"]: row["offsets"] for row in json.loads(text)}["telemetry"] > 0
