"""`sizewise report`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from sizewise import report, report_gpu
from sizewise.answers import Answers, ApiAnswers, LogAnswers, Page
from sizewise.exits import NO_DATA, USAGE, Exit
from sizewise.options import TOKEN, format_option, log_option, with_settings
from sizewise.output import render
from sizewise.picture import draw
from sizewise.process import opened, opened_to_look
from sizewise.settings import Settings

_WAIT_S = 60.0
_EMPTY = (
    "no workloads yet{where}. `sizewise up` starts collecting; first profiles appear after some seconds, "
    "and `--wait` waits for them"
)


@click.command("report")
@log_option
@click.option("--url", metavar="URL", help="Ask the API of a running `up` or `serve` instead of reading the log.")
@click.option("--ca-file", type=click.Path(path_type=Path), metavar="FILE",
              help="With --url: authorities that signed its certificate.")  # fmt: skip
@click.option("-n", "--namespace", help="Only this namespace (on a bare host it is `host`).")
@click.option("--cluster", help="Only this cluster.")
@click.option("--kind", help="Only this kind: Deployment, unit, command, ...")
@click.option("--action", help="Only where CPU or memory has this action: lower, raise, set, leave, insufficient.")
@click.option(
    "--gpu", is_flag=True, default=None, help="GPU workloads: what limits each, evidence, coverage, MIG slice, kin."
)
@click.option("--sort", default="-saving", show_default=True, help="Field of the API to sort by; - sorts downwards.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Most workloads to show.")
@click.option("--wait", is_flag=False, flag_value=_WAIT_S, type=float, default=0.0, metavar="[SECONDS]",
              help=f"Wait for data, {_WAIT_S:.0f} s when no number is given.")  # fmt: skip
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Draw NAME's usage, request and recommendation over time into this PNG.")  # fmt: skip
@click.option("--width", type=click.IntRange(60, 400), help="Columns of the table instead of the terminal's.")
@format_option()
@click.argument("name", required=False)
@with_settings("log", "api")
def command(
    settings: Settings,
    url: str | None,
    ca_file: Path | None,
    wait: float,
    picture: Path | None,
    width: int | None,
    output: str,
    **filters: Any,
) -> None:
    """Show what workloads use and what to give them.

    NAME keeps those with that text in their name. Reads this machine's log, where `sizewise up` writes; --log or
    --url read another. A token for --url is read from SIZEWISE_TOKEN.

    \b
    Examples:
      sizewise report                            the 20 largest savings
      sizewise report postgres --wait            one program, as soon as it is known
      sizewise report -n shop --sort=-memory_target_bytes --limit 50
      sizewise report --url http://127.0.0.1:8080 -o json
      sizewise report -o markdown > report.md
      sizewise report cart --picture cart.png
      sizewise report --gpu                      what limits each workload that has GPUs
    """
    query = {key: value for key, value in filters.items() if value is not None}
    with _answers(settings, url, ca_file, waits=wait > 0) as answers:
        page = _wait_for_data(answers, query, wait)
        page = _with_advice(answers, page)
        if picture is not None and page["workloads"]:
            _draw(answers, page, picture)
    if not page["workloads"]:
        raise Exit(_EMPTY.format(where=" that match" if set(query) - {"sort", "limit"} else ""), NO_DATA)
    shown = report_gpu if filters["gpu"] else report
    if output == "table":
        out = report.console(width)
        out.print(shown.view(page, out.width))
    else:
        click.echo(render(list(shown.records(page)), output, page))


def _with_advice(answers: Answers, page: Page) -> Page:
    """With the MIG advice and the fingerprint of each that has GPUs, which are in the recommendation of one workload only:
    they take 4 ms to work out."""
    every = [w | _advice((w["gpu"] and answers.recommendation(w["id"])) or {}) for w in page["workloads"]]
    return page | {"workloads": every}


def _advice(recommendation: Page) -> Page:
    why = recommendation.get("missing", {}).get("fingerprint")
    return {
        "mig": recommendation.get("mig"),
        "fingerprint": recommendation.get("fingerprint"),
        "fingerprint_missing": why,
    }


def _draw(answers: Answers, page: Page, file: Path) -> None:
    """The picture of the one workload that was named."""
    found = [workload["id"] for workload in page["workloads"]]
    if len(found) > 1:
        raise Exit(f"--picture draws one workload and {page['total']} match, such as {found[0]}; name it closer", USAGE)
    draw(answers.series(found[0]), file)
    click.echo(f"{found[0]} over time: {file}", err=True)


@contextmanager
def _answers(settings: Settings, url: str | None, ca_file: Path | None, waits: bool) -> Iterator[Answers]:
    """`waits`: for a log that nobody has made yet, too."""
    if url:
        yield ApiAnswers(url, os.environ.get(TOKEN), ca_file)
        return
    with (opened if waits else opened_to_look)(settings["log"]) as log:
        answers = LogAnswers(log, settings["api"])
        try:
            yield answers
        finally:
            answers.close()


def _wait_for_data(answers: Answers, query: Mapping[str, Any], wait_s: float) -> Page:
    """The first page that has a recommendation, or the last one seen when the time is over."""
    deadline = time.monotonic() + wait_s
    with _progress("Waiting for the first recommendations") if wait_s else nullcontext():
        while True:
            page = answers.page(query)
            if any(w["confidence_ratio"] is not None for w in page["workloads"]) or time.monotonic() >= deadline:
                return page
            time.sleep(0.5)


@contextmanager
def _progress(text: str) -> Iterator[None]:
    """On standard error, so that a pipe gets the report alone: a spinner, or one line where there is no terminal."""
    out = Console(stderr=True)
    if not out.is_terminal:
        click.echo(text, err=True)
        yield
        return
    with out.status(text):
        yield
