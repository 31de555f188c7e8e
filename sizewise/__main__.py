"""`sizewise`: the command line. Settings, then one command; each command wires its own rooms."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version

import click

from sizewise.exits import FAILED, INTERRUPTED, MEANINGS, UNAVAILABLE, USAGE, Exit
from sizewise.lazy import LazyGroup
from sizewise.settings import SettingsError
from stream.contract import LogError, LogUnavailableError

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("sizewise.commands.up", "Run everything in one process on this machine."),
    "report": ("sizewise.commands.report", "Show workloads: usage, request, what to give, why."),
    "collect": ("sizewise.commands.collect", "Read this machine; publish telemetry, inventory, events."),
    "profile": ("sizewise.commands.profile", "Turn telemetry into profiles."),
    "recommend": ("sizewise.commands.recommend", "Turn profiles into recommendations."),
    "serve": ("sizewise.commands.serve", "Answer questions: REST API, metrics."),
    "webhook": ("sizewise.commands.webhook", "Size pods as they are created: admission webhook."),
    "record": ("sizewise.commands.record", "Record this machine's telemetry into a file."),
    "replay": ("sizewise.commands.replay", "Play a recording into the log."),
    "import": ("sizewise.commands.import_", "Bring history from Prometheus and its kin."),
    "train": ("sizewise.commands.train", "Learn from what this fleet has measured."),
    "backtest": ("sizewise.commands.backtest", "What would sizewise have done? Beside VPA, KRR, Autopilot."),
    "simulate": ("sizewise.commands.simulate", "Replay arrivals against placement policies; compare."),
    "log": ("sizewise.commands.log", "Inspect and export the streams of the log."),
    "token": ("sizewise.commands.token", "Make, list, revoke tokens: who may ask the API for what."),
    "config": ("sizewise.commands.config", "Show the effective settings and where each came from."),
}

_EXITS = "\n".join(f"  {code:<4}{meaning}" for code, meaning in MEANINGS.items())

HELP = f"""Watch what workloads really use, and say what to give them.

\b
Start here:
  sizewise up                          everything, on this machine
  sizewise report                      the table, in another terminal
\b
In a cluster, each role apart, on Kafka:
  sizewise collect --log kafka:BROKER:9092       on every node
  sizewise profile --log kafka:BROKER:9092       as many as you like
  sizewise recommend --log kafka:BROKER:9092
  sizewise serve --log kafka:BROKER:9092
\b
Settings come from defaults, one TOML file (--config, SIZEWISE_CONFIG or
./sizewise.toml), SIZEWISE_SECTION__KEY variables and flags, the later over
the earlier; `sizewise config` shows what came from where.
\b
Completion for your shell (bash, zsh, fish):
  eval "$(_SIZEWISE_COMPLETE=bash_source sizewise)"
\b
Exit codes:
{_EXITS}
"""


@click.command(
    "sizewise",
    cls=LazyGroup,
    commands_at=COMMANDS,
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(version("sizewise"), message="sizewise %(version)s")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def cli(debug: bool) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """The console script. Every expected failure is one line on standard error and an exit code of `sizewise.exits`."""
    given = sys.argv[1:] if arguments is None else arguments
    words = [word for word in given if word != "--debug"]  # wherever it stands
    debug = len(words) < len(given)
    try:
        code = cli.main(words, prog_name="sizewise", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except Exception as error:
        if debug:
            raise
        raise SystemExit(_say(error)) from None
    raise SystemExit(code if isinstance(code, int) else 0)


def _say(error: Exception) -> int:
    """Print an error as its kind deserves; returns the exit code."""
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "sizewise"
        Exit(f"{error.format_message().replace(chr(10), ' ')} (`{path} --help` shows how)").show()
        return USAGE
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    for kind, code in _CODES:
        if isinstance(error, kind):
            Exit(str(error)).show()
            return code
    Exit(f"unexpected {type(error).__name__}: {error}; `sizewise --debug ...` shows where").show()
    return FAILED


_CODES: tuple[tuple[type[Exception], int], ...] = (
    (SettingsError, USAGE),
    (LogUnavailableError, UNAVAILABLE),
    (LogError, FAILED),
)

if __name__ == "__main__":
    main()
