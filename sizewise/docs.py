"""`python -m sizewise.docs [--check]`: writes the parts of docs/ that the code knows best, or says which are out of date."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from models.fleet_metrics import FLEET_METRICS
from models.metrics import METRICS, MetricSpec
from models.profile import PROFILE_FIELDS
from models.reasons import SENTENCES, Action, Reason
from models.recommendation import RECOMMENDATION_FIELDS
from models.signals import CPU_SIGNALS, GPU_SIGNALS, Signal
from sizewise.__main__ import COMMANDS, cli
from sizewise.settings import SECTIONS, keys_of, section_class
from sizewise.state import state_defaults

NOTE = "<!-- Made by `python -m sizewise.docs` from the code; edit there. -->\n"


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and subcommand with the words that call it."""
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            context = click.Context(command)
            for sub in command.list_commands(context):
                found = command.get_command(context, sub)
                assert found is not None
                yield f"{name} {sub}", found


def cli_page() -> str:
    """Every command with its help as the terminal shows it."""
    parts = [NOTE, "# Command line\n", _block(_help(cli, "sizewise"))]
    for words, command in commands():
        level = "##" + "#" * words.count(" ")
        parts += [f"{level} sizewise {words}\n", _block(_help(command, f"sizewise {words}"))]
    return "\n".join(parts)


def settings_page() -> str:
    """Every setting: default, variable, meaning."""
    parts = [NOTE, _SETTINGS_INTRO]
    starts = {name: str(value) for name, value in state_defaults(Path("STATE")).items()}
    for section in SECTIONS:
        cls = section_class(section)
        helps = dict(_field_helps(cls, section))
        parts.append(f"## [{section}]\n\n{(inspect.getdoc(inspect.getmodule(cls)) or '').splitlines()[0]}\n")
        rows = [
            f"| `{key.name}` | {_code(starts.get(key.name, key.default))} | `{key.variable}` | {_cell(helps[key.name])} |"
            for key in keys_of(cls, section)
        ]
        parts.append("| setting | default | variable | meaning |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def metrics_page() -> str:
    """Every metric: of sizewise itself, and of the fleet."""
    return "\n".join([NOTE, _METRICS_INTRO, _metric_table(METRICS), _FLEET_INTRO, _metric_table(FLEET_METRICS)])


def _metric_table(specs: tuple[MetricSpec, ...]) -> str:
    rows = [
        f"| `{spec.name}` | {spec.kind} | {', '.join(f'`{label}`' for label in spec.labels)} | {_cell(spec.help)} |"
        for spec in specs
    ]
    return "\n".join(["| metric | kind | labels | meaning |\n| --- | --- | --- | --- |", *rows, ""])


def signals_page() -> str:
    """Signals, profile and recommendation columns, actions and reasons."""
    parts = [NOTE, _SIGNALS_INTRO]
    for title, signals in (("CPU rows", CPU_SIGNALS), ("GPU rows", GPU_SIGNALS)):
        parts += [f"## {title}\n", "| signal | unit | meaning |\n| --- | --- | --- |\n" + _signal_rows(signals) + "\n"]
    for title, table in (("Profile", PROFILE_FIELDS), ("Recommendation", RECOMMENDATION_FIELDS)):
        rows = [f"| `{f.name}` | {f.dtype}{list(f.shape) or ''} | {_cell(f.help)} |" for f in table]
        parts += [f"## {title} table\n", "| column | type | meaning |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n"]
    actions = ", ".join(f"`{action.name.lower().replace('_', '-')}`" for action in Action)
    reasons = [f"| `{str(r.name).lower().replace('_', '-')}` | {_cell(SENTENCES[r])} |" for r in Reason]
    parts += [
        f"## Actions\n\n{actions}\n",
        "## Reasons\n",
        "| code | sentence |\n| --- | --- |\n" + "\n".join(reasons) + "\n",
    ]
    return "\n".join(parts)


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "signals.md": signals_page,
}


def out_of_date(folder: Path) -> list[str]:
    """Pages that differ from what the code says now."""
    return [name for name, make in PAGES.items() if not _same(folder / name, make())]


def _same(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text() == text


def _help(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path, terminal_width=100, help_option_names=["-h", "--help"])
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


def _block(text: str) -> str:
    return f"```text\n{text}\n```\n"


def _field_helps(cls: type[Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Dotted name and the docstring under each field. Python does not keep them, so the source is read."""
    hints = typing.get_type_hints(cls)
    found = _docstrings(cls)
    for item in fields(cls):
        name = f"{prefix}.{item.name}"
        if is_dataclass(hints[item.name]):
            yield from _field_helps(typing.cast(type[Any], hints[item.name]), name)
        else:
            yield name, found.get(item.name, "")


def _docstrings(cls: type[Any]) -> dict[str, str]:
    module = importlib.import_module(cls.__module__)
    tree = ast.parse(inspect.getsource(module))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__)
    found: dict[str, str] = {}
    for before, after in pairwise(body):
        if not isinstance(before, ast.AnnAssign) or not isinstance(before.target, ast.Name):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[before.target.id] = inspect.cleandoc(str(after.value.value))
    return found


def _signal_rows(signals: tuple[Signal, ...]) -> str:
    return "\n".join(f"| `{signal.name}` | {signal.unit} | {_cell(signal.help)} |" for signal in signals)


def _code(value: object) -> str:
    if value in ("", ()):
        return "empty"
    return f"`{', '.join(map(str, value)) if isinstance(value, tuple) else value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


_SETTINGS_INTRO = """# Settings

Each layer overrides the one before: defaults, one TOML file, variables, flags. `sizewise config` shows every setting
with its value and where it came from.

- **File**: `--config FILE`, else the file that `SIZEWISE_CONFIG` names, else `./sizewise.toml` if it is there. A section
  below is a table of it, a dotted key a table inside: `[recommender.sizing]`.
- **Variables**: `SIZEWISE_`, section, two underscores, key. Two, because Kubernetes itself sets variables such as
  `SIZEWISE_API_PORT` beside a Service called `sizewise-api`. Lists are separated by commas, or JSON.
- **Flags**: `sizewise COMMAND --help` names the setting of each.

STATE is the folder of `--state`, else of `SIZEWISE_STATE`, else `$XDG_STATE_HOME/sizewise`, else
`~/.local/state/sizewise`. An unknown key or a wrong type is an error that names the key, the value, the place and the
nearest key that exists.

```toml
[collector]
cluster = "prod"
interval_s = 5

[recommender.sizing]
cpu_target_percentile = 0.95

[[recommender.overrides]]
match = "*/payments/*"
policy = { memory_margin_ratio = 0.3 }
```

`sizewise up` flushes and commits every 2 s where the defaults below are longer.
"""

_METRICS_INTRO = """# Metrics

Dashboards, alerts and recording rules over these: `dashboards/`, `deploy/grafana/`, `deploy/prometheus/`.

## sizewise itself

`sizewise serve` and `up` have them at `/metrics` of the API; every role serves them on `--metrics-port` as well. Standard
`process_*` metrics are there beside these. Labels are bounded: never a workload, pod or job.
"""

_FLEET_INTRO = """## Workloads, GPUs, nodes, namespaces

At `/metrics` of the API, from its newest snapshot, made anew every `api.metrics.interval_ms`. A value that is not known has
no series; it is never 0. Sizes are per instance, savings and totals over all instances. Of workloads, nodes, GPUs and
namespaces only so many are told one by one (`api.metrics`); what is left out stands in the totals, and is counted.
"""

_SIGNALS_INTRO = """# Signals, profiles, recommendations

What telemetry rows, the profile table and the recommendation table hold. Units are base units: cores, bytes, bytes per
second, ratios from 0 to 1, watts, hertz. A value that a source cannot give is null, never 0; the node's coverage says why.
"""


def main() -> None:
    folder = Path(__file__).parents[1] / "docs"
    if "--check" in sys.argv[1:]:
        if stale := out_of_date(folder):
            raise SystemExit(f"out of date: {', '.join(stale)}; run `python -m sizewise.docs`")
        return
    for name, make in PAGES.items():
        (folder / name).write_text(make())


if __name__ == "__main__":
    main()
