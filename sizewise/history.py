"""Recorded usage from a file, whatever wrote it, as what a backtest replays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from collector.outbox import OutboxError
from collector.prometheus.settings import ImportSettings, ServerSettings
from collector.recording import Recording
from collector.source import SourceError
from models.columns import Array
from models.workload import WorkloadName
from recommender.backtest.datasets import bitbrains, crane, nab
from recommender.backtest.grid import NEEDED, SLOT_S, Grid, Rows
from recommender.backtest.usage import Resource, Usage
from sizewise.exits import NO_DATA, UNAVAILABLE, USAGE, Exit

Fleet = dict[Resource, Usage]
Tick = Callable[[float], None]
"""Told how much of the file was read, 0 to 1."""

DATA_SETS: dict[str, Callable[[Path], Fleet]] = {"bitbrains-rnd": bitbrains, "nab-aws": nab, "crane-dsp": crane}
_DUMPS = (".om", ".openmetrics", ".prom", ".txt")
_TABLES = (".parquet", ".csv", ".jsonl")
_COUNTER, _MEMORY = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"
_ONE_MESSAGE = "export `container_memory_working_set_bytes` and `container_cpu_usage_seconds_total` as they are"


def read_history(source: Path, tick: Tick = lambda _: None) -> Fleet:
    """Usage of a recording, a telemetry export (.parquet, .csv, .jsonl), a Prometheus range answer (.json), a dump in
    OpenMetrics text (.om, .openmetrics, .prom, .txt), or the folder of a known data set. Raises Exit when it is none of
    them or holds no usage."""
    if source.is_dir():
        return _data_set(source)
    if not source.is_file():
        raise Exit(f"there is no {source}; name a recording, an export or the folder of a data set", USAGE)
    if source.suffix in _DUMPS:
        return usages(_dump(source, tick), str(source))
    grid = Grid()
    for rows in _rows(source, tick):
        grid.add(rows)
    return usages(grid, str(source))


def usages(grid: Grid, source: str) -> Fleet:
    """Raises Exit when there is none."""
    found = grid.usages()
    if not found:
        raise Exit(f"{source} holds no CPU or memory usage", NO_DATA)
    return found


def _dump(source: Path, tick: Tick) -> Grid:
    """Half the time goes by in reading lines."""
    from collector.prometheus.dump import read_dump
    from sizewise.served_history import read_server

    try:
        dump = read_dump(source, lambda part: tick(0.5 * part))
        first, last = dump.span_ms
        wanted = ImportSettings(step_s=max(dump.usual_step_s, float(SLOT_S)))
        return read_server(dump, wanted, first - 1, last, lambda part: tick(0.5 + 0.5 * part))
    except SourceError as error:
        raise Exit(str(error), USAGE) from error


def read_url(server: ServerSettings, wanted: ImportSettings, since_s: float, tick: Tick = lambda _: None) -> Fleet:
    """Usage of the last `since_s` seconds that a Prometheus, or what speaks as one, holds. Raises Exit."""
    try:
        from collector.prometheus.client import PrometheusClient
        from sizewise.served_history import read_server
    except ImportError as error:
        raise Exit(f"this needs more packages ({error}): pip install 'sizewise[prometheus]'") from error
    now_ms = round(time.time() * 1000)
    client = PrometheusClient(server)
    try:
        return usages(read_server(client, wanted, now_ms - round(since_s * 1000), now_ms, tick), server.url)
    except SourceError as error:
        raise Exit(str(error), UNAVAILABLE) from error
    finally:
        client.close()


def _data_set(folder: Path) -> Fleet:
    if folder.name not in DATA_SETS:
        raise Exit(f"{folder} is no data set that is known: {', '.join(DATA_SETS)}", USAGE)
    return DATA_SETS[folder.name](folder)


def _rows(source: Path, tick: Tick) -> Iterator[Rows]:
    if source.suffix in _TABLES:
        yield _table(source)
    elif source.suffix == ".json":
        yield from _prometheus(source)
    else:
        yield from _recording(source, tick)


def _recording(source: Path, tick: Tick) -> Iterator[Rows]:
    try:
        with Recording(source) as recording:
            flushes = recording.times(0)
            for done, (number, _) in enumerate(flushes, 1):
                for batch in recording.flush(number).batches:
                    if batch.kind == "cpu" and len(batch):
                        signals = {name: _floats(batch.signals[name]) for name in NEEDED if name in batch.signals}
                        yield Rows(batch.keys["workload"], np.array(batch.time_ms), signals)
                tick(done / len(flushes))
    except OutboxError as error:
        raise Exit(str(error)) from error


def _table(source: Path) -> Rows:
    """What `sizewise log export telemetry FILE` writes, or any table with the same columns."""
    readers = {".parquet": pa.parquet.read_table, ".csv": pa.csv.read_csv, ".jsonl": pa.json.read_json}
    try:
        table = readers[source.suffix](source)
    except (pa.ArrowInvalid, OSError) as error:
        raise Exit(f"{source} cannot be read: {error}") from error
    for column in ("workload", "time_ms"):
        if column not in table.column_names:
            raise Exit(f"{source} has no column {column!r}; `sizewise log export telemetry` writes one that has", USAGE)
    signals = {name: _floats(table.column(name).to_pylist()) for name in NEEDED if name in table.column_names}
    return Rows(table.column("workload").to_pylist(), table.column("time_ms").to_numpy(), signals)


class _Series(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Data(msgspec.Struct):
    resultType: str = ""  # noqa: N815 - as Prometheus writes it
    result: list[_Series] = []


class _Answer(msgspec.Struct):
    data: _Data


def _prometheus(source: Path) -> Iterator[Rows]:
    """The body of /api/v1/query_range, or a list of such bodies: memory as it is, CPU from its counter."""
    try:
        body = msgspec.json.decode(source.read_bytes(), type=_Answer | list[_Answer])
    except (msgspec.DecodeError, OSError) as error:
        raise Exit(f"{source} is no answer of Prometheus' /api/v1/query_range: {error}", USAGE) from error
    for answer in body if isinstance(body, list) else [body]:
        if answer.data.resultType != "matrix":
            raise Exit(f"{source} holds a {answer.data.resultType or 'nothing'}; {_ONE_MESSAGE} by query_range", USAGE)
        for series in answer.data.result:
            if series.values:
                yield _of_series(source, series)


def _of_series(source: Path, series: _Series) -> Rows:
    name = series.metric.get("__name__", "")
    seconds = np.array([time for time, _ in series.values])
    values = np.array([float(value) for _, value in series.values])
    workload = _workload_of(series.metric)
    if name == _MEMORY:
        return _alone(workload, seconds, {"memory_working_set_bytes": values})
    if name == _COUNTER:
        grown = np.diff(values)
        rates = np.where(grown >= 0, grown, values[1:]) / np.diff(seconds)  # a counter that fell began anew
        return _alone(workload, seconds[1:], {"cpu_cores": rates})
    raise Exit(f"{source} holds a series of {name or 'no name'!r}; {_ONE_MESSAGE}", USAGE)


def _alone(workload: str, seconds: Array, signals: dict[str, Array]) -> Rows:
    return Rows([workload] * len(seconds), (seconds * 1000).astype(np.int64), signals)


def _workload_of(labels: dict[str, str]) -> str:
    """By pod without its hash where kube-state-metrics did not say who owns it, so that a roll-out stays one workload."""
    pod = labels.get("pod", labels.get("name", "unknown"))
    parts = pod.split("-")
    owner = "-".join(parts[:-2]) if len(parts) > 2 and len(parts[-1]) == 5 else pod
    name = WorkloadName(
        labels.get("cluster", ""), labels.get("namespace", ""), "Pod", owner, labels.get("container", "")
    )
    return str(name)


def _floats(values: Any) -> Array:
    """None becomes NaN."""
    return np.array(values, dtype=np.float64)
