"""`sizewise recommend`: the role, or with --file one answer."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, get_args

import click

from models.metrics import Meter
from recommender.decision import Format
from recommender.service import Recommender
from sizewise.exits import USAGE, Exit
from sizewise.options import role_options, setting, with_settings
from sizewise.process import opened_to_look, run_role
from sizewise.settings import Settings
from stream.contract import EventLog

_PLAIN: Format = "json"


@click.command("recommend")
@role_options
@setting("--group", "recommender.group", "Consumer group; recommenders of one group share the work.", metavar="NAME")
@click.option("-f", "--file", type=click.Path(path_type=Path), metavar="FILE",
              help="Answer for the jobs in this YAML or JSON file, then end; - is standard input.")  # fmt: skip
@click.option("--format", type=click.Choice(get_args(Format)), help="With --file: form of the answer.  [default: json]")
@click.option("--url", metavar="URL", help="With --file: ask the API of a running `up` or `serve` instead of the log.")
@click.option("--ca-file", type=click.Path(path_type=Path), metavar="FILE",
              help="With --url: authorities that signed its certificate.")  # fmt: skip
@click.option("--cluster", metavar="NAME", help="With --file: cluster of the Kubernetes objects in it.")
@with_settings("log", "recommender", "api", "process")
def command(settings: Settings, file: Path | None, **asked: Any) -> None:
    """Turn profiles into recommendations: target, bounds, confidence, reasons.

    Without --file this is the role that a cluster runs: it reads profiles and writes recommendations until it is told to
    stop. Policy (percentiles, margins, floors, caps, steps) is under [recommender.sizing] of the settings file, and what
    differs for some workloads under [[recommender.overrides]].

    With --file it answers once: what the jobs in the file should get, sizes, MIG slice and nodes, in the words of a
    scheduler. A job is written as POST /v1/recommend takes it, or is a Kubernetes object that makes pods. A token for
    --url is read from SIZEWISE_TOKEN.

    \b
    Examples:
      sizewise recommend
      sizewise recommend --log kafka:broker-1:9092 --config policy.toml
      sizewise recommend --file job.yaml --format slurm
      sizewise recommend --file deployment.yaml --cluster prod --format kubernetes-patch
      sizewise recommend --file job.yaml --url http://127.0.0.1:8080
    """
    if file is not None:
        _answer_once(settings, file, **asked)
        return
    if idle := [f"--{name.replace('_', '-')}" for name, value in asked.items() if value is not None]:
        raise Exit(f"{', '.join(idle)} says how to answer for a file: name it with --file", USAGE)

    def run(log: EventLog, meter: Meter, stop: threading.Event) -> None:
        Recommender(log, settings["recommender"], meter, time.time).run(stop)

    run_role("recommend", settings, run)


def _answer_once(
    settings: Settings, file: Path, format: Format | None, url: str | None, ca_file: Path | None, cluster: str | None
) -> None:
    from sizewise import decided  # the API's packages, which the role does without
    from sizewise.answers import LogAnswers

    jobs, form = decided.jobs_in(file, cluster or ""), format or _PLAIN
    if url is not None:
        click.echo(decided.shown(decided.by_api(url, ca_file, jobs, form), form))
        return
    with opened_to_look(settings["log"]) as log:
        answers = LogAnswers(log, settings["api"])
        try:
            click.echo(decided.shown(decided.by_view(answers.view(), settings["api"], jobs, form), form))
        finally:
            answers.close()
