"""`sizewise import`: history that other systems hold."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from collector.outbox import OutboxError
from collector.prometheus.settings import ImportSettings, ServerSettings
from collector.source import SourceError
from sizewise.exits import INTERRUPTED, NO_DATA, UNAVAILABLE, Exit
from sizewise.options import role_options, setting, with_settings
from sizewise.process import LazyLog, start_role
from sizewise.settings import Settings

if TYPE_CHECKING:
    from collector.prometheus.history import Progress as Tell
    from collector.prometheus.run import Imported

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Duration(click.ParamType[float]):
    """As Prometheus writes it: 90s, 15m, 12h, 14d, 2w, or 1d12h."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        text = str(value)
        parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            self.fail(f"{text!r} is no duration such as 15m, 12h, 14d or 1d12h", param, ctx)
        return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


class Header(click.ParamType[tuple[str, str]]):
    name = "header"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, equals, text = str(value).partition("=")
        if not equals or not name.strip():
            self.fail(f"{value!r} is no header such as X-Scope-OrgID=team-a", param, ctx)
        return name.strip(), text.strip()


@click.group("import")
def command() -> None:
    """Bring history from other systems, for recommendations on the first day.

    \b
    Examples:
      sizewise import prometheus --url http://prometheus:9090
    """


@command.command("prometheus")
@click.option("--url", required=True, metavar="URL", help="Base of the server's API, without /api/v1.")
@click.option("--since", type=Duration(), default="14d", show_default=True, metavar="DURATION", help="How far back.")
@click.option("--step", type=Duration(), default="0s", show_default=True, metavar="DURATION",
              help="Windows in which usage of CPU and memory is read, such as 5m. 0s: every sample.")  # fmt: skip
@click.option("--match", default="", metavar="MATCHERS", help='Only series with these labels: namespace=~"shop|web".')
@click.option("--follow", is_flag=True, help="Go on with what is new, until Ctrl-C.")
@click.option("--lag", type=Duration(), default="60s", show_default=True, metavar="DURATION",
              help="How far behind now --follow stays, so that late samples are seen.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 32), default=2, show_default=True, help="Queries at once.")
@click.option("--token-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="File with a bearer token.")  # fmt: skip
@click.option("--header", "headers", type=Header(), multiple=True, metavar="NAME=VALUE",
              help="Send this header, such as X-Scope-OrgID=team-a; may be repeated.")  # fmt: skip
@click.option("--ca-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="PEM file of the authority that signed the server's certificate.")  # fmt: skip
@click.option("--certificate-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="PEM file of a client certificate and its key.")  # fmt: skip
@click.option("--insecure-skip-verify", is_flag=True, help="Do not check the server's certificate.")
@click.option("--partial", is_flag=True, help="Where a part of the server is away, take what the others have.")
@setting("--cluster", "collector.cluster", "Name of the cluster; else the series' label `cluster`.", metavar="NAME")
@role_options
@with_settings("log", "collector", "process", defaults={"process.log_level": "warning"})
def prometheus(settings: Settings, *, since: float, follow: bool, **asked: Any) -> None:
    """Read what Prometheus, Thanos, Mimir or VictoriaMetrics know of the last days.

    Reads cAdvisor (usage), kube-state-metrics (owners, requests, limits, OOM kills), dcgm-exporter (GPUs) and
    node-exporter (machines whose containers nobody measures), every sample with its own time. With --step CPU and memory
    come in windows, of which CPU is the mean, as its counters tell it, and memory the highest sample: faster and a
    smaller log, but bursts within a window are lost. A profiler that runs (`sizewise up` or `sizewise profile`) takes it
    in; then `sizewise report` recommends.

    Ended anywhere and started again, it goes on where it was; nothing is lost or doubled. Started again later, it
    brings what is new. A profile refuses rows over an hour older than its newest: import before collecting. A part of a
    server that is away, such as a store of Thanos, is an error and no hole.

    \b
    Examples:
      sizewise import prometheus --url http://prometheus:9090
      sizewise import prometheus --url https://thanos.example --since 30d --token-file token
      sizewise import prometheus --url http://mimir:8080/prometheus --header X-Scope-OrgID=team-a
      sizewise import prometheus --url http://prometheus:9090 --match 'namespace="shop"' --follow
    """
    import_history = _importer()
    server, wanted = _server(asked), _wanted(settings, asked)
    meter, stop = start_role(settings)
    since_ms = round((time.time() - since) * 1000)
    with LazyLog(settings["log"]) as log, _bar() as tell, _failures():
        collector = replace(settings["collector"], outbox=str(_outbox(settings, server, wanted)))
        done = import_history(server, wanted, since_ms, log, collector, meter, stop, follow=follow, progress=tell)
    _say(done, follow)


def _importer() -> Callable[..., Imported]:
    try:
        from collector.prometheus.run import import_history
    except ImportError as error:
        raise Exit(f"this needs more packages ({error}): pip install 'sizewise[prometheus]'") from error
    return import_history


def _server(asked: Mapping[str, Any]) -> ServerSettings:
    return ServerSettings(
        url=asked["url"],
        headers=dict(asked["headers"]),
        token=read_token(asked["token_file"]),
        ca_file=str(asked["ca_file"] or ""),
        certificate_file=str(asked["certificate_file"] or ""),
        verify=not asked["insecure_skip_verify"],
        partial=asked["partial"],
    )


def _wanted(settings: Settings, asked: Mapping[str, Any]) -> ImportSettings:
    own = settings["collector"]
    return ImportSettings(
        cluster=own.cluster,
        match=asked["match"].strip().strip("{}"),
        step_s=asked["step"],
        max_gap_s=own.max_gap_s,
        workers=asked["workers"],
        lag_s=asked["lag"],
    )


def _outbox(settings: Settings, server: ServerSettings, wanted: ImportSettings) -> Path:
    """One of its own for each import: a collector on this machine has the usual one."""
    tag = hashlib.sha256(f"{server.url} {wanted.match}".encode()).hexdigest()[:12]
    return Path(settings["collector"].outbox).with_name(f"import-{tag}.db")


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        raise Exit(str(error), UNAVAILABLE) from error
    except OutboxError as error:
        raise Exit(str(error)) from error


def read_token(file: Path | None) -> str:
    """The bearer token in a file; empty without one. Raises Exit when it cannot be read."""
    if file is None:
        return ""
    try:
        return file.read_text().strip()
    except OSError as error:
        raise Exit(f"cannot read the token file {file}: {error.strerror}; name another with --token-file") from error


@contextmanager
def _bar() -> Iterator[Tell]:
    """A progress bar where somebody looks, else nothing."""
    out = Console(stderr=True)
    if not out.is_terminal:
        yield lambda done_ms, total_ms, rows: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out) as bar:
        task = bar.add_task("Importing", total=None)
        yield lambda done_ms, total_ms, rows: bar.update(
            task, completed=done_ms, total=total_ms, description=f"Imported up to {rows:,} rows"
        )


def _say(done: Imported, follow: bool) -> None:
    if not done.complete and not follow:
        raise Exit("stopped before the end; the same command goes on from here", INTERRUPTED)
    if not done.rows and not follow:
        raise Exit("nothing new was found there; is --match right, and does it hold container_... metrics?", NO_DATA)
    click.echo(f"{done.rows:,} rows are in the log.", err=True)
