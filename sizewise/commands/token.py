"""`sizewise token`: who may ask the API for what."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from models.audit import AuditEntry
from models.token import ApiToken
from recommender.access.book import scope_of
from recommender.access.scope import FLEET_WIDE, VERBS, Scope, ScopeError
from recommender.access.seal import KEY_BYTES
from recommender.access.token import MAX_LIFETIME_DAYS, certificate_grant, new_token
from recommender.audit import message_of
from sizewise.exits import NO_DATA, USAGE, Exit
from sizewise.options import format_option, log_option, with_settings
from sizewise.output import render
from sizewise.process import opened, opened_to_look
from sizewise.settings import Settings
from stream import schemas
from stream.contract import EventLog, Message
from stream.json_codec import decode_json, encode_json
from stream.read_all import newest_by_key, read_all
from stream.streams import AUDIT, TOKENS

SEAL_KEY = "seal-key"
"""Key of the message with what seals cursors of tenants: made with the first token, the same for every server."""
_FLUSH_S = 10.0
_DAY_MS = 86_400_000


class Lifetime(click.ParamType[int]):
    """12h, 90d or 52w."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Milliseconds."""
        found = re.fullmatch(r"(\d{1,5})([hdw])", str(value))
        length = int(found[1]) * {"h": 3_600_000, "d": _DAY_MS, "w": 7 * _DAY_MS}[found[2]] if found else 0
        if not 0 < length <= MAX_LIFETIME_DAYS * _DAY_MS:
            self.fail(
                f"{value!r} is no lifetime such as 12h, 90d or 52w, of at most {MAX_LIFETIME_DAYS} days", param, ctx
            )
        return length


@click.group("token")
def command() -> None:
    """Make, list and revoke the tokens that `sizewise serve` asks for.

    They are kept in the log, where every replica reads them, as hashes: a token is shown once, when it is made. Whoever
    may write to the log may make one.

    \b
    Examples:
      sizewise token create grafana --verbs metrics,read --namespaces '*'
      sizewise token create team-shop --verbs read --namespaces prod/shop,stage/shop
      sizewise token list
      sizewise token revoke Xk3nQ0aZb81P
    """


@command.command("create")
@log_option
@click.argument("name")
@click.option("--verbs", required=True, metavar="VERB[,VERB]", help=f"What it allows: {', '.join(VERBS)}.")
@click.option("--namespaces", required=True, metavar="CLUSTER/NAMESPACE[,...]",
              help="Whose workloads it shows; * stands for any name, and alone for everything.")  # fmt: skip
@click.option(
    "--expires", type=Lifetime(), default="90d", show_default=True, metavar="DURATION", help="How long it holds."
)
@click.option("--certificate", default="", metavar="COMMON-NAME",
              help="Make no token: who shows a client certificate with this name is let in. For kube-scheduler.")  # fmt: skip
@format_option("table", "json", "yaml")
@with_settings("log")
def create(
    settings: Settings, name: str, verbs: str, namespaces: str, expires: int, certificate: str, output: str
) -> None:
    """Make a token called NAME and show it, this once.

    \b
    Verbs:
      read      workloads, recommendations, their change feed, nodes
      decide    sizes and placement for a job; tells which room of nodes is free
      place     nodes for a job; tells which room of nodes is free
      extend    filter and prioritize for a scheduler; tells which room of nodes is free
      metrics   /metrics, which speaks of the whole fleet: only with --namespaces '*'

    \b
    Examples:
      sizewise token create team-shop --verbs read --namespaces prod/shop
      sizewise token create ci --verbs read,decide --namespaces '*/ci' --expires 12h -o json
      sizewise token create scheduler --verbs extend --namespaces '*' --certificate scheduler
    """
    scope, now_ms = _scope(verbs, namespaces), _now_ms()
    if certificate:
        text, kept = "", certificate_grant(certificate, name, scope, now_ms, now_ms + expires)
    else:
        made = new_token(name, scope, now_ms, now_ms + expires)
        text, kept = made.text, made.kept
    with opened(settings["log"]) as log:
        _write(log, kept, "token-created", now_ms)
    row = _row(kept, now_ms)
    if output != "table":
        click.echo(render([row | {"token": text or None}], output, row | {"token": text or None}))
        return
    click.echo(text or f"Who shows a certificate of {certificate!r} is let in.")
    click.echo(
        f"{kept.id}: {', '.join(kept.verbs)} on {', '.join(kept.namespaces)} until {row['expires']}."
        + (" It is not shown again." if text else ""),
        err=True,
    )


@command.command("list")
@log_option
@click.option("--all", "every", is_flag=True, help="Those that were revoked or have expired too.")
@format_option()
@with_settings("log")
def show(settings: Settings, every: bool, output: str) -> None:
    """List tokens: what they allow, on what, until when. Never the tokens themselves.

    \b
    Examples:
      sizewise token list
      sizewise token list --all -o json
    """
    with opened_to_look(settings["log"]) as log:
        tokens = sorted(_tokens(log), key=lambda token: (token.created_ms, token.id))
    rows = [row for row in (_row(token, _now_ms()) for token in tokens) if every or row["state"] == "good"]
    if not rows:
        raise Exit("there is no token" + ("" if every else " that holds; --all shows the others"), NO_DATA)
    if output != "table":
        click.echo(render(rows, output))
        return
    from rich.table import Table

    from sizewise.report import console

    table = Table(*(name.upper() for name in rows[0]), box=None, padding=(0, 2, 0, 0), header_style="bold")
    for row in rows:
        table.add_row(*(", ".join(cell) if isinstance(cell, list) else str(cell or "") for cell in row.values()))
    console().print(table)


@command.command("revoke")
@log_option
@click.argument("token_id", metavar="ID")
@with_settings("log")
def revoke(settings: Settings, token_id: str) -> None:
    """Refuse a token from now on; every server does so within a second. ID as `sizewise token list` shows it.

    \b
    Examples:
      sizewise token revoke Xk3nQ0aZb81P
    """
    now_ms = _now_ms()
    with opened_to_look(settings["log"]) as log:
        kept = next((token for token in _tokens(log) if token.id == token_id), None)
        if kept is None:
            raise Exit(f"there is no token with the id {token_id!r}; `sizewise token list --all` shows them", USAGE)
        if kept.revoked_ms:
            raise Exit(f"{token_id} was revoked already, at {_time(kept.revoked_ms)}")
        _write(log, replace(kept, revoked_ms=now_ms), "token-revoked", now_ms)
    click.echo(f"{token_id} ({kept.name}) is refused from now on")


def _scope(verbs: str, namespaces: str) -> Scope:
    try:
        scope = Scope.of(_split(verbs), _split(namespaces))
    except ScopeError as error:
        raise Exit(str(error), USAGE) from error
    if (useless := sorted(FLEET_WIDE & scope.verbs)) and not scope.everywhere:
        raise Exit(f"{', '.join(useless)} speaks of the whole fleet: it goes with --namespaces '*' alone", USAGE)
    return scope


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _write(log: EventLog, token: ApiToken, reason: str, now_ms: int) -> None:
    """The change and its audit entry, in one flush; with the first of all tokens the key that seals."""
    said = {"name": token.name, "verbs": ",".join(token.verbs), "namespaces": ",".join(token.namespaces)}
    entry = AuditEntry(now_ms, f"cli:uid-{os.getuid()}", "token", "applied", reason, token.id, "", said)
    records = list(read_all(log, TOKENS, 0))
    with _writer(log) as append:
        append(TOKENS, Message(token.id, encode_json(token), {schemas.SCHEMA: schemas.TOKEN}, now_ms, 0))
        append(AUDIT, message_of(entry))
        if not any(record.key == SEAL_KEY for record in records):
            headers = {schemas.SCHEMA: schemas.SEAL_KEY}
            append(TOKENS, Message(SEAL_KEY, secrets.token_bytes(KEY_BYTES), headers, now_ms, 0))


@contextmanager
def _writer(log: EventLog) -> Iterator[Any]:
    writer = log.writer()
    try:
        yield lambda stream, message: writer.append(stream, [message])
        writer.flush(_FLUSH_S)
    finally:
        writer.close()


def _tokens(log: EventLog) -> Iterator[ApiToken]:
    for record in newest_by_key(read_all(log, TOKENS, 0)).values():
        if record.headers.get(schemas.SCHEMA) == schemas.TOKEN:
            yield decode_json(record.value, ApiToken)


def _row(token: ApiToken, now_ms: int) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "verbs": list(token.verbs),
        "namespaces": list(token.namespaces),
        "certificate": token.certificate or None,
        "created": _time(token.created_ms),
        "expires": _time(token.expires_ms),
        "state": _state(token, now_ms),
    }


def _state(token: ApiToken, now_ms: int) -> str:
    if token.revoked_ms:
        return "revoked"
    if now_ms >= token.expires_ms:
        return "expired"
    return "good" if scope_of(token).verbs else "allows nothing"


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
