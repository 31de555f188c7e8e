"""`sizewise up`."""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console

from recommender.api.listing import WorkloadQuery, workload_page
from recommender.view import View
from sizewise.http import who_may_ask
from sizewise.metrics import PrometheusMeter
from sizewise.options import log_level_option, log_option, setting, with_settings
from sizewise.process import opened, start_logging, stop_event
from sizewise.report import brief, console
from sizewise.settings import Settings
from sizewise.state import state_defaults, state_folder
from sizewise.up import Running, start_all

_SECTIONS = ("log", "collector", "profiler", "recommender", "view", "api", "process")
_SHORT_S = 2.0
"""Flush and commit intervals of `up`: a laptop wants its first numbers soon, and has no cluster to spare load for."""
_DEFAULTS = {
    "collector.flush_interval_s": _SHORT_S,
    "profiler.commit_interval_s": _SHORT_S,
    "recommender.consume.commit_interval_s": _SHORT_S,
    "process.log_level": "warning",
}
_TOP = 8


@click.command("up")
@log_option
@log_level_option
@setting("--port", "api.port", "Port of the API; a free one if it is taken.", metavar="PORT")
@with_settings(*_SECTIONS, defaults=_DEFAULTS)
def command(settings: Settings) -> None:
    """Run everything in one process: collect, profile, recommend, serve.

    Reads this machine's cgroups and processes, and keeps what it learns in the state folder (--state, SIZEWISE_STATE,
    or ~/.local/state/sizewise), so that the next start goes on where this one ended. Needs no other service and no
    root; Ctrl-C saves and ends it.

    \b
    Examples:
      sizewise up
      sizewise up --port 9000 --state /var/lib/sizewise
      sizewise up --log kafka:127.0.0.1:9092         over a broker instead of a file
    """
    start_logging(settings["process"])
    stop, meter, out = stop_event(), PrometheusMeter(), console()
    with opened(settings["log"]) as log:
        running = start_all(log, settings, meter, stop)
        _greet(out, running, settings)
        try:
            _until_first_profiles(out, running.view, stop)
            stop.wait()
        finally:
            stop.set()
            out.print("Saving and stopping ...")
            for thread in running.threads:
                thread.join()
    out.print("Stopped. The next `sizewise up` goes on from here.")


def _greet(out: Console, running: Running, settings: Settings) -> None:
    location = settings["log"].location
    usual = location == state_defaults(state_folder(os.environ))["log.location"]
    out.print("sizewise is running.", end=" ", style="bold")
    out.print("Ctrl-C stops it.")
    for what, where in (
        ("Report", "sizewise report" if usual else f"sizewise report --log {shlex.quote(location)}"),
        ("Workloads", f"{running.url}/v1/workloads"),
        ("API", f"{running.url}/docs"),
        ("Metrics", f"{running.url}/metrics"),
        ("Open to", who_may_ask(settings["api"])),
        ("Data", location),
    ):
        out.print(f"  {what:<10} {where}", soft_wrap=True)


def _until_first_profiles(out: Console, view: View, stop: threading.Event) -> None:
    """Wait for recommendations, then show the largest consumers once."""
    began = time.monotonic()
    with _progress(out, "Watching; the first recommendations come after a few seconds"):
        while not stop.wait(0.25):
            page = workload_page(view.snapshot, WorkloadQuery(sort="-cpu_usage_p95_cores", limit=_TOP))
            if any(w["cpu"]["target_cores"] is not None for w in page["workloads"]):
                break
        else:
            return
    out.print(f"\nFirst recommendations after {time.monotonic() - began:.0f} s, by CPU used:\n")
    out.print(brief(page))
    out.print(f"\n{page['total']} workloads so far. The report shows all of them, with bounds and reasons.")


@contextmanager
def _progress(out: Console, text: str) -> Iterator[None]:
    if out.is_terminal:
        with out.status(text):
            yield
    else:
        out.print(text)
        yield
