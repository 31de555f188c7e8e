"""GPU telemetry through the real stages, into the report, the API's body and a taught model."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models.metrics import NullMeter
from profiler.service import Profiler
from profiler.settings import ProfilerSettings
from profiler.taught import read_model
from recommender.api import answers
from recommender.api.slice_answers import MigAnswer
from recommender.service import Recommender
from recommender.settings import RecommenderSettings
from sizewise.__main__ import cli
from sizewise.answers import LogAnswers
from sizewise.exits import NO_DATA
from sizewise.process import opened
from sizewise.report_gpu import cost_line, kin_line
from sizewise.slice_text import slice_line
from stream.contract import EventLog, Message
from stream.settings import LogSettings
from stream.streams import TELEMETRY
from tests.profiler.bottleneck.test_gpu import FULL
from tests.profiler.gpu_telemetry import GpuRow, gpu_message
from tests.profiler.telemetry import MINUTE, SECOND, Row, message

NOW = int(time.time() * 1000) // MINUTE * MINUTE - 30 * MINUTE
WORK = {
    "gemm": FULL | {"dram_active_ratio": 0.35, "tensor_active_ratio": 0.9, "power_watts": 695.0},
    "triad": FULL | {"dram_active_ratio": 0.78, "memory_copy_utilization_ratio": 0.98},
    "offload": {
        "gpu_utilization_ratio": 0.13,
        "memory_copy_utilization_ratio": 0.05,
        "power_watts": 185.0,
        "pcie_receive_bytes_per_s": 1.4e9,
        "pcie_transmit_bytes_per_s": 0.6e9,
    },
    "parked": {"gpu_utilization_ratio": 0.0, "power_watts": 120.0},
}


def telemetry() -> Iterator[Message]:
    for number, (name, signals) in enumerate(WORK.items()):
        rows = [GpuRow(name, s * SECOND, signals, f"GPU-{g}") for s in range(600) for g in range(2)]
        yield gpu_message(rows, f"n{number}", 1, NOW)
    waits = {"io_pressure_ratio": 0.6, "disk_read_bytes_per_s": 2e8}
    cpu = [Row("parked", NOW + s * SECOND - 1_700_006_400_000, 0.1, 1e9, signals=waits) for s in range(600)]
    yield message(cpu, "n9", 1, time_ms=NOW + 600 * SECOND)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with the telemetry, and what profiler and recommender made of it."""
    folder = tmp_path_factory.mktemp("state")
    with opened(LogSettings(location=f"sqlite:{folder / 'sizewise.db'}")) as log:
        writer = log.writer()
        writer.append(TELEMETRY, list(telemetry()))
        writer.flush(10)
        writer.close()
        _run(log, lambda page: all(w["confidence_ratio"] is not None for w in page["workloads"]))
    return folder


def _run(log: EventLog, done: Callable[[dict[str, object]], bool]) -> None:
    stop = threading.Event()
    stages = [
        Profiler(log, ProfilerSettings(commit_interval_s=0.1), NullMeter(), time.time),
        Recommender(log, RecommenderSettings(), NullMeter(), time.time),
    ]
    threads = [threading.Thread(target=stage.run, args=(stop,)) for stage in stages]
    for thread in threads:
        thread.start()
    asked = LogAnswers(log)
    deadline = time.monotonic() + 60
    while not ((page := asked.page({}))["total"] == len(WORK) and done(page)) and time.monotonic() < deadline:
        time.sleep(0.1)
    asked.close()
    stop.set()
    for thread in threads:
        thread.join()


def run(state: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--state", str(state)])


def test_the_report_says_what_limits_each_gpu_workload(state: Path) -> None:
    """Four workloads; the parked one waits for its disk, as its CPU side shows."""
    shown = run(state, "report", "--gpu", "-o", "json")
    page = json.loads(shown.stdout)
    slices = {w["name"]: MigAnswer.model_validate(w.pop("mig"), extra="forbid") for w in page["workloads"]}
    assert {mig.action for mig in slices.values()} == {"refused"}  # each uses two GPUs
    why = {w.pop("fingerprint_missing") for w in page["workloads"] if w.pop("fingerprint") is None}
    assert why == {"no fingerprint model was trained yet: sizewise train fingerprint"}
    answers.WorkloadPage.model_validate(page, extra="forbid")
    found = {w["name"]: (w["bottleneck"]["class"], w["bottleneck"]["io_kind"]) for w in page["workloads"]}
    assert found == {
        "gemm": ("compute", "none"),
        "triad": ("memory-bandwidth", "none"),
        "offload": ("io", "host-transfer"),
        "parked": ("io", "storage"),
    }
    gpu = {w["name"]: w["gpu"] for w in page["workloads"]}
    assert gpu["parked"]["bottleneck"]["class"] == "idle"
    assert (gpu["triad"]["gpus"], gpu["triad"]["model"]) == (2, "H100-SXM-80")
    assert gpu["triad"]["covered_hours"] == pytest.approx(2 * 600 / 3600, rel=1e-3)
    assert (gpu["triad"]["counters_ratio"], gpu["offload"]["counters_ratio"]) == (1.0, 0.0)


def test_evidence_and_coverage_are_shown(state: Path) -> None:
    """The triad's 0.78 of 0.8; the off-loaded job has no math pipe's counter, and says so."""
    shown = run(state, "report", "--gpu", "--width", "140").stdout
    assert "memory 98%" in shown
    assert "not seen: compute" in shown
    assert "io (host-transfer)" in shown
    assert "4 GPU workloads, 8 GPUs" in shown
    assert "sizewise train fingerprint" in shown
    assert "no slice: device memory in use is not known" in shown
    assert "$4.58 an hour (indicative: Verda on demand" in shown
    assert "$4.58 an hour, $4.58 of it idle (indicative" in shown  # the parked one
    assert (
        ", $18.32 an hour by indicative list prices: $4.58 idle, $0.00 that slices would leave to others"
        in " ".join(shown.split())
    )
    assert max(map(len, shown.splitlines())) <= 160


def test_a_line_on_cost_names_what_is_saved_and_who_says_so() -> None:
    """A node's own price needs no day; what is nothing is left out."""
    own = {
        "usd_per_hour": 3.5,
        "idle_usd_per_hour": 0.0,
        "slice_saving_usd_per_hour": 2.0,
        "source": "its part of the price of its node",
        "read_on": None,
        "indicative": False,
    }
    assert cost_line(own, "3g.40gb") == (
        "$3.50 an hour, 3g.40gb would leave $2.00 to others (its part of the price of its node)"
    )
    listed = own | {"indicative": True, "source": "Verda", "read_on": "2026-11-24", "slice_saving_usd_per_hour": None}
    assert cost_line(listed, None) == "$3.50 an hour (indicative: Verda, read on 2026-11-24)"


SPEEDS = [
    {"mig_profile": "3g.40gb", "speed_ratio": 0.96, "lowest_ratio": 0.93, "highest_ratio": 0.98},
    {"mig_profile": "7g.80gb", "speed_ratio": 1.0, "lowest_ratio": 1.0, "highest_ratio": 1.0},
]
WHY = [{"code": "multi-gpu", "sentence": "it uses 2 GPUs"}]


@pytest.mark.parametrize(
    ("action", "profile", "probe", "safe", "line"),
    [
        ("slice", "3g.40gb", None, True, "3g.40gb keeps 96% of its speed, at worst 93%"),
        (
            "slice",
            "3g.40gb",
            "2g.20gb",
            True,
            "3g.40gb keeps 96% of its speed, at worst 93%; 2g.20gb may do: run it there once",
        ),
        (
            "slice",
            "3g.40gb",
            "3g.40gb",
            False,
            "3g.40gb keeps 96% of its speed, at worst 93%; run it once on 3g.40gb to be sure",
        ),
        ("whole", "7g.80gb", None, True, "the whole GPU, for a slowdown of at most 10%"),
        ("probe", "7g.80gb", "2g.20gb", True, "the signals do not decide; run it once on 2g.20gb to be sure"),
        ("refused", None, None, False, "no slice: it uses 2 GPUs"),
    ],
)
def test_a_slice_in_a_line(action: str, profile: str | None, probe: str | None, safe: bool, line: str) -> None:
    """What to give it, and what to try where that is not sure."""
    mig = {"action": action, "mig_profile": profile, "probe": probe, "safe": safe, "max_slowdown_ratio": 0.1}
    assert slice_line(mig | {"speeds": SPEEDS, "reasons": WHY}) == line


def test_the_plain_report_has_the_slice_of_each_gpu_workload(state: Path) -> None:
    """Wide, narrow, as JSON and as CSV: what to give it or why none."""
    assert "2 GPU -> whole" in run(state, "report", "--width", "180").stdout
    assert "gpu: no slice: device memory in use is not known" in run(state, "report", "--width", "100").stdout
    page = json.loads(run(state, "report", "-o", "json").stdout)
    assert [w["mig"]["action"] for w in page["workloads"]] == ["refused"] * 4
    rows = [line for line in run(state, "report", "-o", "csv").stdout.splitlines() if ",gpu-slice,mig-profile," in line]
    assert len(rows) == 4
    assert all(",refused," in row and row.endswith(",memory-unknown") for row in rows)


def test_a_csv_of_the_evidence(state: Path) -> None:
    """A column per number that was compared."""
    lines = run(state, "report", "--gpu", "-o", "csv").stdout.splitlines()
    assert lines[0].startswith(
        "workload,model,gpus,class,io_kind,confidence_ratio,busy_ratio,compute_ratio,memory_ratio"
    )
    assert "mig_action,mig_profile,mig_speed_ratio,mig_safe,mig_probe,mig_reasons" in lines[0]
    assert lines[0].endswith("fingerprint,like,like_confidence_ratio,like_similarity_ratio")
    assert len(lines) == 5


def test_a_fleet_with_too_few_kinds_of_work_is_told_so(state: Path, tmp_path: Path) -> None:
    """Two workloads have counters, with a class each: nothing can be learned, and no file is written."""
    refused = run(state, "train", "bottleneck", "--out", str(tmp_path / "model"))
    assert refused.exit_code == NO_DATA
    assert "it needs two such classes" in refused.output
    assert list(tmp_path.iterdir()) == []


def test_a_fleet_teaches_itself(tmp_path: Path) -> None:
    """Three workloads of each of two classes, a minute each: two files, and a model that a profiler can read."""
    with opened(LogSettings(location=f"sqlite:{tmp_path / 'sizewise.db'}")) as log:
        writer = log.writer()
        for number in range(6):
            signals = WORK["triad" if number % 2 else "gemm"]
            rows = [GpuRow(f"w{number}", m * MINUTE, signals, interval_ms=MINUTE) for m in range(10)]
            writer.append(TELEMETRY, [gpu_message(rows, f"n{number}", 1, NOW)])
        writer.flush(10)
        writer.close()
    done = run(tmp_path, "train", "bottleneck", "--out", str(tmp_path / "taught"))
    assert done.exit_code == 0, done.output
    assert "60 windows of 6 workloads" in done.output
    assert "believed about: compute, memory-bandwidth" in done.output
    assert read_model(str(tmp_path / "taught")) is not None


NEAR = [{"workload": "c/n/Job/bert/", "similarity_ratio": 0.31, "distance": 4.0}]
LIKE = {"verdict": "known", "sentence": "", "confidence_ratio": 0.9, "similarity_ratio": 0.7, "nearest": NEAR}


@pytest.mark.parametrize(
    ("fingerprint", "why", "line"),
    [
        (LIKE | {"workload": "c/n/Job/bert/"}, None, "c/n/Job/bert/, 90% sure, 70% alike"),
        (LIKE | {"workload": "c/n/Job/me/"}, None, "itself in runs before, 90% sure, 70% alike"),
        (
            LIKE | {"verdict": "unknown", "sentence": "no known workload is near", "workload": None},
            None,
            "no known workload is near; nearest c/n/Job/bert/, 31% alike",
        ),
        (
            {"verdict": "nothing-visible", "sentence": "no workload visible on this GPU", "nearest": []},
            None,
            "no workload visible on this GPU",
        ),
        (None, "no model", "no model"),
        (None, None, "no recommendation yet"),
    ],
)
def test_the_kin_of_a_workload_in_a_line(fingerprint: dict[str, object] | None, why: str | None, line: str) -> None:
    """What it is like, that it is like nothing known, or why neither can be said."""
    assert kin_line({"id": "c/n/Job/me/", "fingerprint": fingerprint, "fingerprint_missing": why}) == line
