"""`sizewise collect` on a node with GPUs, as its own process: into the log, and read back as a profiler reads it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from models.inventory import Node
from models.signals import GPU_SIGNALS
from stream.contract import EventLog, Record
from stream.json_codec import decode_json
from stream.schemas import SCHEMA, TELEMETRY
from stream.telemetry_decoder import decode_telemetry
from tests.collector.nvml.found import API, MACHINE, POSTGRES
from tests.collector.nvml.library import FACTS_VARIABLE
from tests.collector.nvml.machines import MIG_2G, MIG_3G, h100_mig, h100_uuid, write
from tests.collector.recorded import RecordedMachine

_WAIT_S = 120
_COLUMN = {signal.name: i for i, signal in enumerate(GPU_SIGNALS)}


@contextmanager
def collecting(folder: Path, library: Path, facts: Mapping[str, object]) -> Iterator[subprocess.Popen[bytes]]:
    """The command on a recorded node, five reads a second."""
    RecordedMachine.load("kubernetes-v2-systemd", folder)
    write(facts, folder / "gpus")
    roots = "".join(f'{key} = "{folder / name}"\n' for key, name in {**_ROOTS, "root": "host"}.items())
    config = folder / "sizewise.toml"
    config.write_text(
        f'[log]\nlocation = "sqlite:{folder / "log.db"}"\n[collector]\ncluster = "prod"\nnode = "n1"\ninterval_s = 0.2\n'
        f'flush_interval_s = 0.4\noutbox = "{folder / "outbox.db"}"\n[collector.host]\n{roots}'
    )
    environment = os.environ | {"LD_LIBRARY_PATH": str(library.parent), FACTS_VARIABLE: str(folder / "gpus")}
    command = [sys.executable, "-m", "sizewise", "collect", "--config", str(config)]
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(30) == 0


_ROOTS = {name: name for name in ("proc", "sys", "cgroup")}


def records(log: EventLog, stream: str, process: subprocess.Popen[bytes], wanted: int) -> list[Record]:
    """At least `wanted` messages of GPUs, or nodes with coverage of them, as they come."""
    found: list[Record] = []
    deadline = time.monotonic() + _WAIT_S
    with closing(log.reader(stream)) as reader:
        while len(found) < wanted and time.monotonic() < deadline and process.poll() is None:
            found += (r for r in reader.poll(0.1) if stream == "inventory" or r.headers[SCHEMA] == TELEMETRY["gpu"])
    assert len(found) >= wanted
    return found


def test_gpu_rows_reach_a_profiler_as_they_were_read(log: EventLog, tmp_path: Path, library_file: Path) -> None:
    """An H100 cut by MIG: three rows a read, none rejected; 80 % SM of the 3g instance, 650 W of the whole GPU."""
    with collecting(tmp_path, library_file, {k: v for k, v in h100_mig().items() if k != "clock_ms"}) as process:
        messages = records(log, "telemetry", process, 6)
        nodes = records(log, "inventory", process, 1)
    values: dict[tuple[str, str, str], list[np.ndarray]] = {}  # type: ignore[type-arg]
    for message in messages:
        frame = decode_telemetry(message, int(time.time() * 1000))
        assert not frame.rejected
        for i in range(len(frame.time_ms)):
            key = frame.keys["workload"][i], frame.keys["gpu_uuid"][i], frame.keys["mig_profile"][i]
            values.setdefault(key, []).append(frame.values[i])
            assert frame.interval_ms[i] == pytest.approx(200, abs=2_000)
    assert values.keys() >= {(API, MIG_3G, "3g.40gb"), (POSTGRES, MIG_2G, "2g.20gb"), (MACHINE, h100_uuid(0), "")}
    assert values[API, MIG_3G, "3g.40gb"][-1][_COLUMN["sm_active_ratio"]] == pytest.approx(0.8)
    assert values[MACHINE, h100_uuid(0), ""][-1][_COLUMN["power_watts"]] == pytest.approx(650.0)
    node = decode_json(nodes[-1].value or b"", Node)
    assert [place.uuid for place in node.gpus[0].mig] == [MIG_2G, MIG_3G]
    assert node.cpu_cores == 4.0, "the host's part of the node is still there"


def test_on_a_machine_without_gpus_one_line_of_coverage_is_all(
    log: EventLog, tmp_path: Path, library_file: Path
) -> None:
    """The host's rows and its part of the node go on as if GPUs had never been asked for."""
    with collecting(tmp_path, library_file, {}) as process:
        nodes = records(log, "inventory", process, 1)
    node = decode_json(nodes[-1].value or b"", Node)
    assert [(line.signal, line.seen) for line in node.coverage if line.source.startswith("nvml")] == [("*", False)]
    assert node.gpus == ()
    assert node.cpu_cores == 4.0
