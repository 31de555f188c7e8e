"""`sizewise config`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from sizewise.options import format_option, log_option, with_settings
from sizewise.output import render
from sizewise.settings import SECTIONS, Settings, keys_of, section_class, shown


@click.command("config")
@log_option
@click.option("--changed", is_flag=True, help="Only what differs from the defaults.")
@format_option()
@click.argument("prefix", required=False)
@with_settings(*SECTIONS)
def command(settings: Settings, changed: bool, output: str, prefix: str | None) -> None:
    """Show every setting, its value, and where the value came from. Secrets are masked.

    PREFIX keeps the keys that begin with it. A wrong file, variable or flag is an error that names the key, the value,
    where it was given, and the nearest key that exists.

    \b
    Examples:
      sizewise config
      sizewise config collector --changed
      SIZEWISE_API__PORT=9000 sizewise config api
      sizewise config --config site.toml -o yaml
    """
    rows = [row for row in _rows(settings) if row["key"].startswith(prefix or "")]
    rows = [row for row in rows if not changed or row["from"] != "default"]
    if output != "table":
        click.echo(render(rows, output))
        return
    from rich.table import Table

    from sizewise.report import console

    out = console()
    table = Table("KEY", "VALUE", "FROM", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for row in rows:
        table.add_row(row["key"], str(row["value"]), row["from"], style=None if row["from"] == "default" else "bold")
    out.print(table)


def _rows(settings: Settings) -> Iterator[dict[str, Any]]:
    for section in SECTIONS:
        for key in keys_of(section_class(section), section):
            origin = settings.origins.get(key.name)
            value: Any = settings[section]
            for part in key.name.split(".")[1:]:
                value = getattr(value, part)
            yield {"key": key.name, "value": _plain(shown(key, value)), "from": origin.where if origin else "default"}


def _plain(value: Any) -> Any:
    """What JSON and YAML can say."""
    import msgspec

    return msgspec.to_builtins(value)
