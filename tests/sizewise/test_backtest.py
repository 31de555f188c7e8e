"""`sizewise backtest` on every kind of file that it reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from collector.publisher import Flush
from collector.recording import RecordingSink
from models.telemetry import TelemetryBatch
from sizewise.__main__ import cli
from sizewise.exits import NO_DATA, USAGE, Exit
from sizewise.history import read_history

DAYS, STEP_S = 4, 3600
TIMES_S = 20_000 * 86_400 + STEP_S * np.arange(DAYS * 24)
GIB = float(1 << 30)
NAMES = ("prod/shop/Deployment/cart/main", "prod/shop/Deployment/web/main")


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIZEWISE_STATE", str(tmp_path))


def table() -> Mapping[str, list[object]]:
    """Two workloads for four days, hourly: one core and 1 GiB, of which 4 and 4 are requested."""
    n = len(TIMES_S)
    return {
        "workload": [name for name in NAMES for _ in range(n)],
        "time_ms": [int(t) * 1000 for _ in NAMES for t in TIMES_S],
        "cpu_cores": [1.0] * (2 * n),
        "cpu_request_cores": [4.0] * (2 * n),
        "memory_working_set_bytes": [GIB] * (2 * n),
        "memory_request_bytes": [4 * GIB] * (2 * n),
    }


def parquet(folder: Path) -> Path:
    pa.parquet.write_table(pa.table(dict(table())), folder / "usage.parquet")
    return folder / "usage.parquet"


def csv(folder: Path) -> Path:
    pa.csv.write_csv(pa.table(dict(table())), folder / "usage.csv")
    return folder / "usage.csv"


def json_lines(folder: Path) -> Path:
    columns = table()
    lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]
    (folder / "usage.jsonl").write_text("\n".join(lines))
    return folder / "usage.jsonl"


def recording(folder: Path) -> Path:
    columns = dict(table())
    names, times = columns.pop("workload"), columns.pop("time_ms")
    batch = TelemetryBatch(
        "cpu", {"workload": names, "instance": ["i"] * len(names)}, times, [1000] * len(names), columns
    )  # type: ignore[arg-type]
    with RecordingSink(folder / "usage.rec") as sink:
        sink.put(Flush(int(TIMES_S[-1]) * 1000, [batch]), {})
    return folder / "usage.rec"


def prometheus(folder: Path) -> Path:
    """A gauge of memory and a counter of CPU seconds of two pods; the counter begins anew once."""
    counter = np.arange(len(TIMES_S)) * float(STEP_S)
    counter[50:] -= counter[49]
    result = [
        {
            "metric": {"__name__": name, "namespace": "shop", "pod": f"{app}-7d9f8-abcde", "container": "main"},
            "values": [[float(t), str(v)] for t, v in zip(TIMES_S, values, strict=True)],
        }
        for app in ("cart", "web")
        for name, values in (
            ("container_memory_working_set_bytes", [GIB] * len(TIMES_S)),
            ("container_cpu_usage_seconds_total", counter),
        )
    ]
    file = folder / "range.json"
    file.write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}))
    return file


def open_metrics(folder: Path) -> Path:
    """The same as `promtool tsdb dump-openmetrics` writes it: one series after the other, its end marked by NaN. Labels
    hold what must be escaped, and other metrics are passed over."""
    counter = np.arange(len(TIMES_S)) * float(STEP_S)
    lines = ["# TYPE up gauge", f'up{{job="a b"}} 1 {TIMES_S[0]}']
    for app in ("cart", "web"):
        labels = f'namespace="shop",pod="{app}-7d9f8b6c5d-x2x4z",container="main",note="a}} \\"b\\" # {{"'
        for name, values in (
            ("container_memory_working_set_bytes", [GIB] * len(TIMES_S)),
            ("container_cpu_usage_seconds_total", counter),
        ):
            lines += [f"{name}{{{labels}}} {v:e} {t}.000" for t, v in zip(TIMES_S, values, strict=True)]
            lines.append(f"{name}{{{labels}}} NaN {TIMES_S[-1] + 60}")
    (folder / "usage.om").write_text("\n".join([*lines, "# EOF", ""]))
    return folder / "usage.om"


@pytest.mark.parametrize("write", [parquet, csv, json_lines, recording, prometheus, open_metrics])
def test_every_source_gives_the_same_usage(write: object, tmp_path: Path) -> None:
    """One core and 1 GiB wherever there is a sample, and the same number of them (a counter gives one less)."""
    fleet = read_history(write(tmp_path))  # type: ignore[operator]
    for resource, value in (("cpu", 1.0), ("memory", GIB)):
        usage = fleet[resource]  # type: ignore[index]
        known = ~np.isnan(usage.samples)
        assert usage.samples[known] == pytest.approx(np.full(known.sum(), value))
        less = 2 if write in (prometheus, open_metrics) and resource == "cpu" else 0
        assert known.sum() == 2 * len(TIMES_S) - less
        assert (len(usage.workloads), usage.blocks) == (2, DAYS)


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["backtest", *words], standalone_mode=False)


def test_the_table_and_the_verdict(tmp_path: Path) -> None:
    """1.15 GiB each of 4 asked: 71 % less memory."""
    text = run(str(parquet(tmp_path))).output
    assert "2 workloads sizewise would have reserved 2.3 GiB; 8 GiB were requested, so 71% less." in text
    assert "KRR simple" in text


def test_json_has_every_policy_and_the_verdict(tmp_path: Path) -> None:
    body = json.loads(run(str(csv(tmp_path)), "--resource", "cpu", "-o", "json").output)
    (one,) = body["backtests"]
    assert (one["resource"], one["workloads"], one["days"]) == ("cpu", 2, 2)
    assert one["policies"][0]["reserved"] == pytest.approx(2.3)
    assert one["verdict"].startswith("CPU: over 2 days")


def test_what_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text('{"data": {"resultType": "vector", "result": []}}')
    (tmp_path / "bare.csv").write_text("a,b\n1,2\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "untimed.om").write_text('container_memory_working_set_bytes{pod="a",container="b"} 1\n')
    (tmp_path / "odd.prom").write_text("= 1 2\n")
    for name in ("odd.json", "bare.csv", "folder", "missing", "untimed.om", "odd.prom"):
        with pytest.raises(Exit) as raised:
            read_history(tmp_path / name)
        assert raised.value.exit_code == USAGE


def test_a_single_day_is_no_backtest(tmp_path: Path) -> None:
    columns = {name: values[:24] for name, values in table().items()}
    pa.parquet.write_table(pa.table(columns), tmp_path / "day.parquet")
    result = run(str(tmp_path / "day.parquet"))
    assert isinstance(result.exception, Exit)
    assert result.exception.exit_code == NO_DATA


def test_overrides_are_honoured(tmp_path: Path) -> None:
    """One of the two workloads gets no less than 3 GiB: 1.15 + 3 = 4.15 GiB."""
    (tmp_path / "own.toml").write_text(
        "[[recommender.overrides]]\nmatch = '*/cart/*'\npolicy = {memory_floor_bytes = 3221225472}\n"
    )
    body = json.loads(run(str(parquet(tmp_path)), "--config", "own.toml", "--resource", "memory", "-o", "json").output)
    assert body["backtests"][0]["policies"][0]["reserved"] == pytest.approx(4.15 * GIB)
