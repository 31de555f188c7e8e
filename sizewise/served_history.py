"""The history that a metrics server holds, or a dump of one, onto the grid of a backtest: read as `sizewise import` reads it,
so that workloads have the names and requests that a profiler would see, but past no log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from collector.outbox import Outbox
from collector.prometheus.history import History, Position
from collector.prometheus.questions import Server
from collector.prometheus.settings import ImportSettings
from models.metrics import NullMeter
from models.signals import CPU_SIGNALS
from recommender.backtest.grid import NEEDED, Grid, Rows
from stream.contract import Record
from stream.dead_letters import BadMessageError
from stream.streams import TELEMETRY
from stream.telemetry_decoder import decode_telemetry

_SIGNAL = {signal.name: number for number, signal in enumerate(CPU_SIGNALS)}
_OUTBOX_BYTES = 1 << 30
_AT_ONCE = 1000
Tick = Callable[[float], None]


def read_server(server: Server, wanted: ImportSettings, since_ms: int, until_ms: int, tick: Tick) -> Grid:
    """What containers and machines used in (since_ms, until_ms]. `tick` is told how much was read, 0 to 1.

    Raises SourceError when the server refuses, OutboxError when there is no room for temporary files."""
    grid = Grid()
    with TemporaryDirectory() as folder, Outbox(Path(folder) / "outbox.db", _OUTBOX_BYTES, NullMeter()) as outbox:

        def take(done_ms: int, total_ms: int, rows: int) -> None:
            _drain(outbox, grid, until_ms)
            tick(done_ms / max(total_ms, 1))

        position = Position("backtest", since_ms, since_ms)
        history = History(server, wanted, outbox, 1, _OUTBOX_BYTES, NullMeter(), position, take)
        history.run(until_ms, Event())
    return grid


def _drain(outbox: Outbox, grid: Grid, now_ms: int) -> None:
    """What a span brought, before the next one is written. now_ms: rows may be 400 days older."""
    while waiting := outbox.oldest(_AT_ONCE, _OUTBOX_BYTES):
        for one in waiting:
            if one.stream == TELEMETRY:
                message = one.message
                record = Record(
                    TELEMETRY, 0, one.sequence, message.key, message.value, message.headers, message.time_ms
                )
                _add(record, grid, now_ms)
        outbox.confirm(waiting[-1].sequence)


def _add(record: Record, grid: Grid, now_ms: int) -> None:
    try:
        frame = decode_telemetry(record, now_ms)
    except BadMessageError:
        return  # nothing of it would reach a profile either
    if frame.kind == "cpu" and len(frame):
        names = [frame.workload.names[code] for code in frame.workload.codes.tolist()]
        grid.add(Rows(names, frame.time_ms, {name: frame.values[:, _SIGNAL[name]] for name in NEEDED}))
