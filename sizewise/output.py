"""Flat records as JSON, YAML, CSV or a Markdown table. Tables for people are each command's own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]


def render(records: Sequence[Record], output: str, whole: object = None) -> str:
    """`whole` is what json and yaml show instead of the flat records, for answers that have more to say."""
    if output == "json":
        return json.dumps(whole if whole is not None else list(records), indent=2, default=str)
    if output == "yaml":
        import yaml

        body = whole if whole is not None else [dict(record) for record in records]
        return str(yaml.safe_dump(body, sort_keys=False, allow_unicode=True)).rstrip()
    columns = list(dict.fromkeys(name for record in records for name in record))
    return _csv(records, columns) if output == "csv" else _markdown(records, columns)


def printable(text: str) -> str:
    """Text from elsewhere for a terminal or a log: what would move the cursor, colour, or begin a line is shown escaped."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _csv(records: Sequence[Record], columns: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows([{name: _safe(record.get(name)) for name in columns} for record in records])
    return text.getvalue().rstrip("\n")


def _safe(value: object) -> object:
    """Text that a spreadsheet would run as a formula gets a quote in front; a workload may be called anything. Line ends
    stay: CSV has a form for them."""
    if not isinstance(value, str):
        return value
    quoted = "'" + value if value[:1] in ("=", "+", "@", "-", "\t", "\r") else value
    return "\n".join(map(printable, quoted.split("\n")))


def _markdown(records: Sequence[Record], columns: Sequence[str]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_cell(record.get(name)) for name in columns) + " |" for record in records]
    return "\n".join(lines)


def _cell(value: object) -> str:
    text = "" if value is None else printable(str(value).replace("\n", " "))
    return text.replace("\\", "\\\\").replace("|", "\\|")
