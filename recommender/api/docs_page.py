"""The documentation page, rendered from the OpenAPI document by this process: it works where no other site is reached."""

from __future__ import annotations

import json
from html import escape
from typing import Any

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2733;background:#fff}
h2{margin-top:2.5rem;border-top:1px solid #d5dde5;padding-top:1.2rem}code,pre{font:14px/1.45 ui-monospace,monospace}
pre{background:#f3f6f9;padding:.8rem;overflow:auto;max-height:28rem}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.25rem .8rem .25rem 0;vertical-align:top;border-bottom:1px solid #e6ebf0}
a{color:#0b5cad}.method{color:#fff;background:#2a7d4f;padding:.1rem .45rem;border-radius:.2rem;font-size:.8em}
@media(prefers-color-scheme:dark){body{color:#dde4ea;background:#14191e}pre{background:#1e262d}a{color:#7db8f0}
h2,td,th{border-color:#34404a}}
"""


def page(openapi: dict[str, Any]) -> str:
    info = openapi["info"]
    routes = [(path, method, spec) for path, item in openapi["paths"].items() for method, spec in item.items()]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
        "<p>Start at <a href='/v1/workloads?limit=20'>/v1/workloads</a>. The whole document for tools: "
        "<a href='/openapi.json'>/openapi.json</a>.</p>" + "".join(_route(openapi, *route) for route in routes)
    )


def _route(openapi: dict[str, Any], path: str, method: str, spec: dict[str, Any]) -> str:
    shown = escape(path)
    name = f"<a href='{shown}'>{shown}</a>" if "{" not in path and method == "get" else shown
    answers = ", ".join(sorted(spec["responses"]))
    return (
        f"<h2><span class=method>{escape(method.upper())}</span> <code>{name}</code></h2>"
        f"<p>{escape(spec.get('summary', ''))}. Answers: {escape(answers)}.</p>"
        + _parameters(spec.get("parameters", []))
        + _request(openapi, spec)
        + _example(openapi, spec)
    )


def _request(openapi: dict[str, Any], spec: dict[str, Any]) -> str:
    """Fields of the body that a route takes, and an example."""
    content = spec.get("requestBody", {}).get("content", {}).get("application/json")
    if not content:
        return ""
    schema = _object(openapi, content["schema"])
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code><td>{escape(part.get('description', ''))}"
        f"<td><code>{escape(_default(part))}</code>"
        for name, part in schema["properties"].items()
    )
    sample = escape(json.dumps(example(openapi, schema), indent=2))
    return f"<table><tr><th>field of the body<th>meaning<th>default{rows}</table><p>Example:</p><pre>{sample}</pre><p>Answer:</p>"


def _object(openapi: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The object that a body is; of one that has several forms the first."""
    for forms in (schema.get("oneOf"), schema.get("anyOf")):
        if forms:
            return _object(openapi, forms[0])
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = [
        f"<tr><td><code>{escape(p['name'])}</code><td>{escape(p.get('description', ''))}"
        f"<td><code>{escape(_default(p['schema']))}</code>"
        for p in parameters
    ]
    return f"<table><tr><th>parameter<th>meaning<th>default{''.join(rows)}</table>" if rows else ""


def _default(schema: dict[str, Any]) -> str:
    return "" if schema.get("default") is None else json.dumps(schema["default"])


def _example(openapi: dict[str, Any], spec: dict[str, Any]) -> str:
    content = spec["responses"].get("200", {}).get("content", {}).get("application/json")
    if not content or not content.get("schema"):
        return ""
    sample = example(openapi, content["schema"])
    return f"<pre>{escape(json.dumps(sample, indent=2))}</pre>"


def example(openapi: dict[str, Any], schema: dict[str, Any]) -> Any:
    """A body that fits the schema, from its examples and defaults."""
    if "$ref" in schema:
        return example(openapi, openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("enum"):
        return schema["enum"][0]
    if "const" in schema or "default" in schema:
        return schema.get("const", schema.get("default"))
    for forms in (schema.get("anyOf"), schema.get("oneOf")):
        if forms:
            return example(openapi, forms[0])
    if schema.get("type") == "object":
        return {name: example(openapi, part) for name, part in schema.get("properties", {}).items()}
    if schema.get("type") == "array":
        return [example(openapi, schema["items"])] if schema.get("items") else []
    plain = {"string": "2026-01-31T12:00:00Z" if schema.get("format") == "date-time" else "", "boolean": True}
    return plain.get(schema.get("type", ""), 0)
