"""A click group whose commands are imported when they are used: `sizewise collect` loads no web server."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import click


class LazyGroup(click.Group):
    """`commands_at`: name of a command, and where it is, as `package.module`, which holds `command`."""

    def __init__(self, *args: Any, commands_at: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._at:
            return None
        command = importlib.import_module(self._at[cmd_name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{self._at[cmd_name][0]}.command is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help, from the one-line texts here, so that it imports nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._at.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; an unknown name is answered with the nearest."""
        if args and args[0] not in self._at and not args[0].startswith("-"):
            close = get_close_matches(args[0], self._at, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(self._at)}."
            raise click.UsageError(f"No such command {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)
