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

from collector.prometheus.settings import ImportSettings, ServerSettings
from recommender.backtest.compare import Backtest, compare, policies, verdict
from recommender.backtest.usage import Resource
from recommender.sizing.policy_columns import PolicyTable
from sizewise.commands.import_ import Duration, Header, read_token
from sizewise.exits import NO_DATA, Exit
from sizewise.history import Fleet, read_history, read_url
from sizewise.options import format_option, setting, with_settings
from sizewise.output import render
from sizewise.report import console
from sizewise.settings import Settings
from sizewise.units import cores, share, size

_SHOW: dict[Resource, Callable[[float], str]] = {"cpu": lambda value: f"{cores(value)} cores", "memory": size}
Tell = Callable[[float], None]


@click.command("backtest")
@click.argument("source")
@click.option("--resource", type=click.Choice(("cpu", "memory", "both")), default="both", show_default=True,
              help="What to replay.")  # fmt: skip
@click.option("--since", type=Duration(), default="30d", show_default=True, metavar="DURATION",
              help="Of a server: how far back.")  # fmt: skip
@click.option("--step", type=Duration(), default="5m", show_default=True, metavar="DURATION",
              help="Of a server: the highest memory and the mean CPU of each step are read; 0s: every sample.")  # fmt: skip
@click.option("--match", default="", metavar="MATCHERS",
              help='Of a server: only series with these labels: namespace=~"shop|web".')  # fmt: skip
@click.option("--token-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Of a server: file with a bearer token.")  # fmt: skip
@click.option("--header", "headers", type=Header(), multiple=True, metavar="NAME=VALUE",
              help="Of a server: send this header; may be repeated.")  # fmt: skip
@click.option("--ca-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Of a server: PEM file of the authority that signed its certificate.")  # fmt: skip
@setting("--oom-days", "recommender.sizing.memory_target_oom_days_ratio",
         "Share of days on which memory may be short.", metavar="RATIO")  # fmt: skip
@setting("--throttled", "recommender.sizing.cpu_target_throttled_ratio",
         "Share of time in which CPU may be short.", metavar="RATIO")  # fmt: skip
@format_option()
@with_settings("recommender")
def command(
    settings: Settings,
    source: str,
    resource: str,
    output: str,
    since: float,
    step: float,
    match: str,
    token_file: Path | None,
    headers: tuple[tuple[str, str], ...],
    ca_file: Path | None,
) -> None:
    """Replay recorded usage: what sizewise would have done, beside VPA, KRR and Autopilot.

    Every policy sees only the days before its decision, which then stands for a day. SOURCE is the URL of Prometheus,
    Thanos, Mimir or VictoriaMetrics; a dump of one in OpenMetrics text (.om, .prom, .txt), or the answer of its
    query_range (.json); a recording; a telemetry export; or the folder of a public data set. The policy is that of
    [recommender.sizing] and its overrides.

    \b
    Examples:
      sizewise backtest http://prometheus:9090 --since 30d
      promtool tsdb dump-openmetrics data > usage.om && sizewise backtest usage.om
      sizewise backtest monday.rec
      sizewise log export telemetry usage.parquet && sizewise backtest usage.parquet
      sizewise backtest prometheus-range.json --resource memory
      sizewise backtest data/bitbrains-rnd --oom-days 0.03 -o json
    """
    server = ServerSettings(source, dict(headers), read_token(token_file), str(ca_file or ""))
    wanted = ImportSettings(match=match.strip().strip("{}"), step_s=step)
    with _progress() as tell:
        if source.startswith(("http://", "https://")):
            fleet = read_url(server, wanted, since, lambda part: tell(0.5 * part))
        else:
            fleet = read_history(Path(source), lambda part: tell(0.5 * part))
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
