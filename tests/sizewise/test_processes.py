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
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.services.process import free_port

DEADLINE_S = 60.0
PARTITIONS = 4
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
        self.log: dict[str, str] = {}
        """Variables that name another log than the file in the state folder."""

    def start(self, *words: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SIZEWISE_")}
        environment = kept | SHORT | self.log | {"SIZEWISE_STATE": str(self.state), "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "sizewise", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        self.started.append(process)
        return process

    def output(self, *words: str) -> str:
        """Standard output of a command that ends by itself."""
        process = self.start(*words)
        text, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, text
        return text

    def end(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs in the background
    made = Processes(tmp_path)
    yield made
    made.end()
    signal.signal(signal.SIGINT, before)


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


def printed(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """What the first line that matches says, of those that nobody has read yet."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(pattern, line):
            return found
    raise AssertionError(f"it ended and did not print {pattern}")


def url_in(process: subprocess.Popen[str]) -> str:
    """The address of the API as `up` prints it."""
    return printed(process, r"(http://\S+)/v1/workloads")[1]


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


@pytest.fixture(params=["sqlite", "kafka"])
def shared_log(request: pytest.FixtureRequest, processes: Processes) -> None:
    """The log of the roles: a file, and a real broker with topics of its own."""
    processes.log = {"SIZEWISE_LOG__PARTITIONS": str(PARTITIONS)}
    if request.param == "kafka":
        processes.log |= {
            "SIZEWISE_LOG__LOCATION": f"kafka:{request.getfixturevalue('kafka_bootstrap')}",
            "SIZEWISE_LOG__KAFKA__TOPIC_PREFIX": f"roles-{uuid.uuid4().hex[:8]}.",
            "SIZEWISE_LOG__SESSION_S": "2",
        }


@pytest.mark.slow
@pytest.mark.usefixtures("shared_log")
def test_roles_apart_share_one_log_and_count_every_row_once(processes: Processes) -> None:
    """collect, profile, recommend and serve as processes; a second profiler joins, the first is killed. When the
    collector has ended and nothing lags, each profile has as many rows as the log holds telemetry of it."""
    port, metrics = free_port(), free_port()
    collector = processes.start("collect", "--metrics-port", str(metrics))
    first = processes.start("profile")
    recommender = processes.start("recommend")
    server = processes.start("serve", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    assert wait_for(lambda: sized(url), server)
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=5) as answer:
        assert b'sizewise_outbox_sent_messages_total{stream="telemetry"}' in answer.read()
    second = processes.start("profile")
    taken = {taken_over(second)}
    first.kill()
    while len(taken) < PARTITIONS:
        taken.add(taken_over(second))
    end(collector)
    wait_for(
        lambda: all(not row["lag"] for row in json.loads(processes.output("log", "streams", "-o", "json"))), second
    )
    for role in (second, recommender, server):
        end(role)
    sent = Counter(row["workload"] for row in exported(processes, "telemetry"))
    profiled = {row["workload"]: row["rows"] for row in exported(processes, "profiles") if "rows" in row}
    assert sent
    assert profiled == dict(sent)


def taken_over(profiler: subprocess.Popen[str]) -> str:
    """The partition that it took over next."""
    return printed(profiler, r"partition (\d+): \d+ workloads restored")[1]


def end(role: subprocess.Popen[str]) -> None:
    """Ctrl-C: it saves its work and ends with 0."""
    role.send_signal(signal.SIGINT)
    text, _ = role.communicate(timeout=DEADLINE_S)
    assert role.returncode == 0, text
    assert "Traceback" not in text


def exported(processes: Processes, stream: str) -> Iterator[dict[str, Any]]:
    """All rows of a stream, oldest first."""
    file = processes.state / f"{stream}.jsonl"
    processes.output("log", "export", stream, str(file))
    yield from (json.loads(line) for line in file.read_text().splitlines())


def test_a_taken_port_is_one_line_with_the_mend(processes: Processes) -> None:
    """`serve` does not choose another port by itself: something is to find it there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = processes.start("serve", "--port", str(taken.getsockname()[1]))
        text, _ = server.communicate(timeout=DEADLINE_S)
    assert server.returncode == 1
    assert re.search(r"sizewise: cannot listen on 127.0.0.1:\d+: .*; choose another --port, 0 for a free one", text)


def test_an_unreachable_broker_is_one_line_and_a_code_that_says_try_later(processes: Processes) -> None:
    """No traceback and no chatter of the client library: 3, and the address in the message."""
    asking = processes.start("log", "streams", "--log", f"kafka:127.0.0.1:{free_port()}")
    text, _ = asking.communicate(timeout=DEADLINE_S)
    assert (asking.returncode, text.count("\n")) == (3, 1)
    assert "kafka:127.0.0.1" in text


def test_ctrl_c_while_waiting_ends_with_its_code(processes: Processes) -> None:
    """`report --wait` on an empty log, interrupted: 130, as shells expect."""
    waiting = processes.start("report", "--wait", "60")
    assert waiting.stdout is not None
    waiting.stdout.readline()  # it says that it waits
    waiting.send_signal(signal.SIGINT)
    text, _ = waiting.communicate(timeout=DEADLINE_S)
    assert waiting.returncode == 130, text
    assert "Traceback" not in text


def test_a_recording_can_be_played(processes: Processes, tmp_path: Path) -> None:
    """Two seconds of this machine, played as fast as possible: telemetry is in the log."""
    processes.output("record", "--for", "3", str(tmp_path / "a.rec"))
    processes.output("replay", str(tmp_path / "a.rec"), "--speed", "max")
    rows = json.loads(processes.output("log", "streams", "-o", "json"))
    assert {row["stream"]: row["offsets"] for row in rows}["telemetry"] > 0
