"""Flags that are settings, and what every command shares. A flag is text until `sizewise.settings` converts it, so that
file, variable and flag give the same errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import update_wrapper
from pathlib import Path
from typing import Any, TypeVar

import click

from sizewise.settings import Given, load
from sizewise.state import state_defaults, state_folder

TOKEN = "SIZEWISE_TOKEN"  # noqa: S105 - the name of a variable: an option would show the token to everyone on the machine

F = TypeVar("F", bound=Callable[..., Any])
_FLAGS = "sizewise.flags"
FORMATS = ("table", "json", "yaml", "csv", "markdown")


def setting(flag: str, name: str, help: str, metavar: str = "TEXT") -> Callable[[F], F]:
    """A flag for one setting, by its dotted name."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.meta.setdefault(_FLAGS, {})[name] = Given(value, "flag", flag)

    text = f"{help}  [setting: {name}]"
    return click.option(flag, metavar=metavar, help=text, callback=keep, expose_value=False)


def switch(flag: str, name: str, help: str) -> Callable[[F], F]:
    """A flag without a value that turns a setting on."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta.setdefault(_FLAGS, {})[name] = Given("true", "flag", flag)

    text = f"{help}  [setting: {name}]"
    return click.option(flag, is_flag=True, help=text, callback=keep, expose_value=False)


def with_settings(*sections: str, defaults: Mapping[str, object] | None = None) -> Callable[[F], Callable[..., Any]]:
    """Give a command its settings as first argument, and the flags that name the file and the state folder."""

    def decorate(function: F) -> Callable[..., Any]:
        def run(ctx: click.Context, /, config: Path | None, state: Path | None, **arguments: Any) -> Any:
            start = state_defaults(state_folder(os.environ, state)) | dict(defaults or {})
            return function(load(sections, os.environ, ctx.meta.get(_FLAGS), config, start), **arguments)

        command: Callable[..., Any] = update_wrapper(run, function)
        return _config_option(_state_option(click.pass_context(command)))

    return decorate


_config_option = click.option(
    "--config", type=click.Path(path_type=Path), metavar="FILE", help="TOML file of settings."
)
_state_option = click.option(
    "--state", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the log and the outbox."
)

log_option = setting(
    "--log", "log.location", "Event log: sqlite:PATH or kafka:HOST:PORT[,HOST:PORT].", metavar="LOCATION"
)
log_level_option = setting("--log-level", "process.log_level", "debug, info, warning or error.", metavar="LEVEL")
metrics_port_option = setting("--metrics-port", "process.metrics_port", "Serve /metrics on this port.", metavar="PORT")


def role_options(function: F) -> F:
    """What collect, profile, recommend and serve have in common."""
    return log_option(log_level_option(metrics_port_option(function)))


def format_option(*formats: str) -> Callable[[F], F]:
    """-o, the same in every command that shows something."""
    return click.option(
        "-o", "--output", type=click.Choice(formats or FORMATS), default="table", show_default=True, help="Format."
    )
