"""`sizewise log`: look into the streams."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from sizewise.exits import NO_DATA, Exit
from sizewise.options import format_option, log_option, with_settings
from sizewise.output import printable, render
from sizewise.process import opened_to_look
from sizewise.settings import Settings
from stream.contract import EventLog, Record
from stream.streams import PROFILES, TELEMETRY, stream_specs

_FEW = 20
STREAMS = tuple(spec.name for spec in stream_specs(1))


@click.group("log")
def command() -> None:
    """Inspect and export the streams of the event log.

    \b
    Examples:
      sizewise log streams                             what is there, and who lags behind
      sizewise log show events                         the newest messages, decoded
      sizewise log show telemetry -p 3 --last 1 -o json
      sizewise log export telemetry usage.parquet
      sizewise log export recommendations advice.csv
    """


@command.command("streams")
@log_option
@click.option("--partitions", is_flag=True, help="One line per partition instead of one per stream.")
@format_option()
@with_settings("log", "profiler", "recommender")
def streams(settings: Settings, partitions: bool, output: str) -> None:
    """List streams: offsets, the newest message, and how far the group that reads it is behind.

    \b
    Examples:
      sizewise log streams
      sizewise log streams --log kafka:broker:9092 --partitions -o json
    """
    groups = {TELEMETRY: settings["profiler"].group, PROFILES: settings["recommender"].group}
    with opened_to_look(settings["log"]) as log:
        parts = {name: list(_partitions(log, name, groups.get(name))) for name in STREAMS}
    _print([row for rows in parts.values() for row in (rows if partitions else [_sum(rows)])], output)


@command.command("show")
@log_option
@click.argument("stream", type=click.Choice(STREAMS))
@click.option("-p", "--partition", type=int, help="Only this partition.")
@click.option("--last", type=click.IntRange(1), default=10, show_default=True, help="Newest messages per partition.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Most rows to show.")
@format_option()
@with_settings("log")
def show(settings: Settings, stream: str, partition: int | None, last: int, limit: int, output: str) -> None:
    """Show the newest messages of a stream, decoded into rows.

    \b
    Examples:
      sizewise log show events
      sizewise log show dead-letters -o yaml
      sizewise log show telemetry -p 0 --last 1 -o json
    """
    with opened_to_look(settings["log"]) as log:
        start = {
            number: max(first, end - last)
            for number, (first, end) in log.offsets(stream).items()
            if partition in (None, number)
        }
        if not start:
            raise Exit(f"{stream} has no partition {partition}; it has {log.partitions(stream)}")
        rows = list(itertools.islice(_rows(log, stream, start), limit))
    if not rows:
        raise Exit(f"{stream} holds no message there", NO_DATA)
    _print(rows, output)


@command.command("export")
@log_option
@click.argument("stream", type=click.Choice(STREAMS))
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@with_settings("log")
def export(settings: Settings, stream: str, file: Path) -> None:
    """Write all rows of a stream to FILE: .jsonl, .csv or .parquet by its name; - is JSON lines on standard output.

    \b
    Examples:
      sizewise log export telemetry usage.parquet
      sizewise log export events - | jq .kind
    """
    from sizewise.export import export_rows

    with opened_to_look(settings["log"]) as log:
        count = export_rows(_rows(log, stream, None), stream, file)
    click.echo(f"{count} rows of {stream} in {file}", err=True)


def _rows(log: EventLog, stream: str, start: Mapping[int, int] | None) -> Iterator[dict[str, Any]]:
    from sizewise.decoded import rows

    for record in _records(log, stream, start):
        yield from rows(record)


def _records(log: EventLog, stream: str, start: Mapping[int, int] | None) -> Iterator[Record]:
    """Everything that is there now, in the order of time within a partition."""
    reader = log.reader(stream, start)
    try:
        while not reader.caught_up():
            yield from reader.poll(0.2)
    finally:
        reader.close()


def _partitions(log: EventLog, stream: str, group: str | None) -> Iterator[dict[str, Any]]:
    committed = log.committed(group, stream) if group else {}
    for partition, (first, end) in sorted(log.offsets(stream).items()):
        yield {
            "stream": stream,
            "partition": partition,
            "first": first,
            "next": end,
            "group": group,
            "committed": committed.get(partition),
            "lag": _lag(log, stream, partition, max(committed.get(partition, first), first), end) if group else None,
            "newest": _newest(log, stream, partition, first, end),
        }


def _lag(log: EventLog, stream: str, partition: int, start: int, end: int) -> int:
    """Messages not yet taken. Kafka's transaction markers take places too, so a short distance is counted by reading."""
    if not 0 < end - start <= _FEW:
        return max(0, end - start)
    return sum(1 for _ in _records(log, stream, {partition: start}))


def _sum(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A whole stream. `offsets` counts places, of which compaction and markers leave some empty."""
    return {
        "stream": rows[0]["stream"],
        "partitions": len(rows),
        "offsets": sum(row["next"] - row["first"] for row in rows),
        "group": rows[0]["group"],
        "lag": sum(row["lag"] for row in rows) if rows[0]["group"] else None,
        "newest": max((row["newest"] for row in rows if row["newest"]), default=None),
    }


def _newest(log: EventLog, stream: str, partition: int, first: int, end: int) -> str | None:
    """Time of the newest message; offsets may have gaps, so the last few are read."""
    if end <= first:
        return None
    times = [record.time_ms for record in _records(log, stream, {partition: max(first, end - 5)})]
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(times) / 1000)) if times else None


def _print(rows: list[dict[str, Any]], output: str) -> None:
    if output != "table":
        click.echo(render(rows, output))
        return
    from rich.table import Table

    from sizewise.report import console

    columns = list(dict.fromkeys(name for row in rows for name in row))
    columns = [name for name in columns if any(row.get(name) not in (None, "") for row in rows)]
    table = Table(*(name.upper() for name in columns), box=None, padding=(0, 2, 0, 0), header_style="bold")
    for row in rows:
        table.add_row(*("" if row.get(name) is None else printable(str(row[name])) for name in columns))
    console().print(table)
