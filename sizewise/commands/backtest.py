"""`sizewise backtest`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from recommender.backtest.compare import Backtest, compare, policies, verdict
from recommender.backtest.usage import Resource
from recommender.sizing.policy_columns import PolicyTable
from sizewise.exits import NO_DATA, Exit
from sizewise.history import Fleet, read_history
from sizewise.options import format_option, setting, with_settings
from sizewise.output import render
from sizewise.report import console
from sizewise.settings import Settings
from sizewise.units import cores, share, size

_SHOW: dict[Resource, Callable[[float], str]] = {"cpu": lambda value: f"{cores(value)} cores", "memory": size}
Tell = Callable[[float], None]


@click.command("backtest")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--resource", type=click.Choice(("cpu", "memory", "both")), default="both", show_default=True,
              help="What to replay.")  # fmt: skip
@setting("--oom-days", "recommender.sizing.memory_target_oom_days_ratio",
         "Share of days on which memory may be short.", metavar="RATIO")  # fmt: skip
@setting("--throttled", "recommender.sizing.cpu_target_throttled_ratio",
         "Share of time in which CPU may be short.", metavar="RATIO")  # fmt: skip
@format_option()
@with_settings("recommender")
def command(settings: Settings, source: Path, resource: str, output: str) -> None:
    """Replay recorded usage: what sizewise would have done, beside VPA, KRR and Autopilot.

    Every policy sees only the days before its decision, which then stands for a day. SOURCE is a recording, a telemetry
    export, the answer of Prometheus' query_range as .json, or the folder of a public data set. The policy is that of
    [recommender.sizing] and its overrides.

    \b
    Examples:
      sizewise backtest monday.rec
      sizewise log export telemetry usage.parquet && sizewise backtest usage.parquet
      sizewise backtest prometheus-range.json --resource memory
      sizewise backtest data/bitbrains-rnd --oom-days 0.03 -o json
    """
    with _progress() as tell:
        fleet = read_history(source, lambda part: tell(0.5 * part))
        done = list(_replayed(fleet, resource, settings, tell))
    if not done:
        raise Exit(f"{source} holds no {resource} usage", NO_DATA)
    records = [result.record() for one in done for result in one.results]
    if output == "table":
        _print(done)
    else:
        click.echo(render(records, output, {"backtests": [_body(one) for one in done]}))


def _replayed(fleet: Fleet, resource: str, settings: Settings, tell: Tell) -> Iterator[Backtest]:
    chosen = [usage for name, usage in fleet.items() if resource in ("both", name)]
    own = settings["recommender"]
    table = PolicyTable(own.sizing, own.overrides)
    total = sum(len(policies(usage, table)) for usage in chosen)
    steps = iter(range(total))
    for usage in chosen:
        try:
            yield compare(usage, table, lambda _: tell(0.5 + 0.5 * next(steps) / total))
        except ValueError as error:
            raise Exit(str(error), NO_DATA) from error


def _body(done: Backtest) -> dict[str, Any]:
    return {
        "resource": done.resource,
        "workloads": done.workloads,
        "days": done.days,
        "warm_up_days": done.warm_up_days,
        "workload_days": done.workload_days,
        "policies": [result.record() for result in done.results],
        "verdict": " ".join(line.strip() for line in verdict(done, _SHOW[done.resource])),
    }


def _print(done: list[Backtest]) -> None:
    out = console()
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for column in ("POLICY", "", "RESERVED", "SLACK", "ABOVE LIMIT", "CHANGES/DAY"):
        table.add_column(column, justify="left" if column in ("POLICY", "") else "right", no_wrap=True)
    for one in done:
        for result in one.results:
            shown = _SHOW[one.resource](result.reserved)
            ratios = (share(result.slack_ratio), f"{result.risk_ratio:.2%}", share(result.churn_ratio))
            table.add_row(result.policy, one.resource, shown, *ratios)
    out.print(table)
    out.print()
    for one in done:
        for line in verdict(one, _SHOW[one.resource]):
            out.print(line)


@contextmanager
def _progress() -> Iterator[Tell]:
    """A bar on standard error where that is a terminal."""
    out = Console(stderr=True)
    if not out.is_terminal:
        yield lambda _: None
        return
    with Progress(TextColumn("Replaying"), BarColumn(), TextColumn("{task.percentage:.0f} %"), console=out) as bar:
        task = bar.add_task("replay", total=1.0)
        yield lambda part: bar.update(task, completed=part)
