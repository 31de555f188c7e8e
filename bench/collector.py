"""CPU and memory of the collector at 1 Hz on a recorded node with 200 containers, beside prometheus-node-exporter; and
once more with eight GPUs in the node.

The collector is `sizewise collect` as it runs on a node: its own process, an outbox on disk, the SQLite log and a real
Kafka broker (when it is built). node-exporter reads this machine, which has far fewer cgroups and which it does not
look at anyway: it has no rows per workload. It is scraped at 1 Hz on the same machine and measured the same way.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.collector_gpus import GPUS, can_build, eight_gpus
from bench.collector_tree import CONTAINERS_PER_POD, SERVICES, RecordedNode
from bench.report import Cell, Report
from deploy.services.cache import Cache
from deploy.services.kafka import KAFKA, KafkaBroker

CONTAINERS = 200
WARM_UP_S = 12
"""Names are found, files opened and the first flush sent: what a collector does once."""
MEASURE_S = 60
_EXPORTER = "prometheus-node-exporter"


@dataclass(frozen=True, slots=True)
class Cost:
    """core_share: CPU time over wall time, of all threads. rss_mb: largest resident set seen, in 10**6 bytes."""

    core_share: float
    rss_mb: float


def run(data: Path | None) -> Report:
    """Needs no data set: the recorded node is generated."""
    rows: list[dict[str, Cell]] = []
    figures: dict[str, float] = {}
    notes = [
        f"{CONTAINERS} containers in {CONTAINERS // CONTAINERS_PER_POD} pods, their sandboxes and {SERVICES} services; "
        f"{MEASURE_S} s at 1 Hz after {WARM_UP_S} s of warm-up; the files are ordinary ones, not the kernel's.",
        "Figures are the dearer of the two logs.",
    ]
    with tempfile.TemporaryDirectory(prefix="sizewise-bench-") as folder, _broker(notes) as broker:
        for prefix, what, measure in _nodes(notes):
            costs = {}
            for name, location in _logs(Path(folder), broker):
                costs[name] = measure(Path(folder) / f"{prefix}{name}", location)
                rows.append(_row(f"sizewise collect, {name} log{what}", costs[name]))
            figures[f"{prefix}collector_core_share"] = max(cost.core_share for cost in costs.values())
            figures[f"{prefix}collector_rss_mb"] = max(cost.rss_mb for cost in costs.values())
    rows += _peer(notes)
    return Report("Collector at 1 Hz, 200 containers", figures, rows, notes)


def _nodes(notes: list[str]) -> list[tuple[str, str, Callable[[Path, str], Cost]]]:
    """Prefix of the figures, words of the row and measurement: of the node, and of the node with GPUs."""
    plain: tuple[str, str, Callable[[Path, str], Cost]] = ("", "", _collector)
    if not can_build():
        notes.append("gcc is not on PATH: the rows with GPUs are left out.")
        return [plain]
    notes.append(f"The {GPUS} GPUs are H100s of the test library, with GPM; a kubelet grants them over gRPC.")
    return [plain, ("gpu_", f", and {GPUS} GPUs", _with_gpus)]


def _logs(folder: Path, broker: KafkaBroker | None) -> list[tuple[str, str]]:
    sqlite = ("sqlite", f"sqlite:{folder / 'log.db'}")
    return [sqlite] if broker is None else [sqlite, ("kafka", f"kafka:{broker.bootstrap}")]


@contextmanager
def _broker(notes: list[str]) -> Iterator[KafkaBroker | None]:
    cache = Cache.from_environment()
    if not cache.has(KAFKA):
        notes.append("Kafka is not built (`make services`): the Kafka row is left out.")
        yield None
        return
    broker = KafkaBroker(cache.home(KAFKA))
    try:
        yield broker
    finally:
        broker.close()


def _with_gpus(folder: Path, location: str) -> Cost:
    with eight_gpus(folder) as environment:
        return _collector(folder, location, environment)


def _collector(folder: Path, location: str, environment: Mapping[str, str] | None = None) -> Cost:
    node = RecordedNode(folder, CONTAINERS)
    node.write()
    config = folder / "sizewise.toml"
    roots = "\n".join(f'{key} = "{folder / name}"' for key, name in _ROOTS.items())
    config.write_text(
        f'[log]\nlocation = "{location}"\n\n[collector]\ncluster = "bench"\nnode = "recorded"\n'
        f'outbox = "{folder / "outbox.db"}"\n\n[collector.host]\n{roots}\n'
    )
    command = [sys.executable, "-m", "sizewise", "collect", "--config", str(config)]
    second = iter(range(1, 1_000_000))
    try:
        return _measured(command, lambda: node.advance(next(second)), environment)
    finally:
        node.close()


_ROOTS = {"proc": "proc", "sys": "sys", "cgroup": "cgroup", "root": "host"}


def _peer(notes: list[str]) -> list[dict[str, Cell]]:
    if shutil.which(_EXPORTER) is None:
        notes.append(f"{_EXPORTER} is not on PATH (Debian: apt-get install {_EXPORTER}): its row is left out.")
        return []
    port = _free_port()
    url = f"http://127.0.0.1:{port}/metrics"

    def scrape() -> None:
        with urllib.request.urlopen(url, timeout=5) as answer:
            answer.read()

    cost = _measured([_EXPORTER, f"--web.listen-address=127.0.0.1:{port}"], scrape)
    version = subprocess.run([_EXPORTER, "--version"], capture_output=True, text=True, check=True)
    words = (version.stdout + version.stderr).split()
    return [_row(f"node-exporter {words[words.index('version') + 1]}, scraped", cost)]


def _measured(
    command: list[str], each_second: Callable[[], None], environment: Mapping[str, str] | None = None
) -> Cost:
    """Start a process, do something once a second, and say what it cost. Raises RuntimeError when it ends early."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            return _watched(psutil.Process(process.pid), process, each_second)
        except RuntimeError as error:
            output.seek(0)
            raise RuntimeError(f"{error}: {output.read().decode()[-2000:]}") from error
        finally:
            process.terminate()
            process.wait(timeout=30)


def _watched(watched: psutil.Process, process: subprocess.Popen[bytes], each_second: Callable[[], None]) -> Cost:
    start = time.monotonic()
    began_s, used_s, peak = 0.0, 0.0, 0
    for second in range(1, WARM_UP_S + MEASURE_S + 1):
        time.sleep(max(start + second - time.monotonic(), 0))
        if process.poll() is not None:
            raise RuntimeError(f"{watched.pid} ended with {process.returncode}")
        each_second()
        if second == WARM_UP_S:
            began_s, used_s = time.monotonic(), _cpu_s(watched)
        if second >= WARM_UP_S:
            peak = max(peak, watched.memory_info().rss)
    return Cost((_cpu_s(watched) - used_s) / (time.monotonic() - began_s), peak / 1e6)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _row(name: str, cost: Cost) -> dict[str, Cell]:
    return {"process": name, "core share": cost.core_share, "RSS, MB": cost.rss_mb}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
