"""Settings: defaults, then one TOML file, then SIZEWISE_* variables, then flags; each layer overrides the one before.

A room declares its settings as a frozen dataclass and never reads a file or the environment itself. Here the layers are
laid over each other and every key remembers where its value came from.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Literal

import msgspec

SECTIONS: dict[str, str] = {
    "log": "stream.settings:LogSettings",
    "collector": "collector.settings:CollectorSettings",
    "profiler": "profiler.settings:ProfilerSettings",
    "recommender": "recommender.settings:RecommenderSettings",
    "view": "recommender.view_settings:ViewSettings",
    "api": "recommender.api.settings:ApiSettings",
    "webhook": "recommender.admission.settings:WebhookSettings",
    "process": "sizewise.process_settings:ProcessSettings",
}
"""Section of the TOML file: the dataclass behind it. Named as text, so that a collector never imports the others'."""

PREFIX = "SIZEWISE_"
RESERVED = frozenset(
    f"{PREFIX}{name}" for name in ("CONFIG", "STATE", "TOKEN", "URL", "CLUSTER", "REQUIRE_SERVICES", "SERVICES")
)
"""Variables that are no setting: which file and folder to use; who asks, whom and of which cluster, as commands with --url
and Slurm's filter read them; and what `make services` and the tests understand."""

DEFAULT_FILE = Path("sizewise.toml")
_SECRET = re.compile(r"password|secret|token")
_KUBERNETES = re.compile(r"_SERVICE_(HOST|PORT(_.*)?)$|_PORT(_\d+_(TCP|UDP)(_.*)?)?$")
"""What Kubernetes sets in every pod beside a Service called sizewise-something."""

Layer = Literal["default", "file", "environment", "flag"]


class SettingsError(Exception):
    """A setting that cannot be used. The message names the key, the value, where it came from and the mend."""


@dataclass(frozen=True, slots=True)
class Given:
    """One value that a layer gives. `where` reads like `sizewise.toml line 3`, `SIZEWISE_API__PORT` or `--port`."""

    value: object
    layer: Layer
    where: str


@dataclass(frozen=True, slots=True)
class Key:
    """One setting. `name` is dotted: section first."""

    name: str
    type: Any
    default: object

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper().replace(".", "__")

    @property
    def secret(self) -> bool:
        return bool(_SECRET.search(self.name))


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the sections asked for, and where each key came from (by dotted name)."""

    sections: Mapping[str, Any]
    origins: Mapping[str, Given] = field(default_factory=dict)

    def __getitem__(self, section: str) -> Any:
        return self.sections[section]


def load(
    names: Iterable[str],
    environ: Mapping[str, str],
    flags: Mapping[str, Given] | None = None,
    file: Path | None = None,
    defaults: Mapping[str, object] | None = None,
) -> Settings:
    """The settings of some sections. `flags` by dotted name; `file` None: SIZEWISE_CONFIG, or sizewise.toml if there.
    `defaults` by dotted name: what this command starts from instead of the dataclass's default.

    Raises SettingsError for an unknown section, key or variable, a value of the wrong type, or a file that is not TOML.
    Keys of sections that were not asked for are not looked at, so that a role starts without the others' packages.
    """
    classes = {name: section_class(name) for name in names}
    keys = {key.name: key for name, cls in classes.items() for key in keys_of(cls, name)}
    given = {name: Given(value, "default", "default") for name, value in (defaults or {}).items() if name in keys}
    for layer in (from_file(file, environ, keys, classes), from_environ(environ, keys, classes), flags or {}):
        given |= layer
    values = {name: _convert(keys[name], value) for name, value in given.items()}
    return Settings({name: _build(cls, name, values, given) for name, cls in classes.items()}, given)


def section_class(name: str) -> type[Any]:
    module, _, cls = SECTIONS[name].partition(":")
    return typing.cast(type[Any], getattr(importlib.import_module(module), cls))


def keys_of(cls: type[Any], prefix: str) -> list[Key]:
    """Every setting of a dataclass; nested dataclasses become dotted keys."""
    hints = typing.get_type_hints(cls)
    keys: list[Key] = []
    for item in dataclasses.fields(cls):
        name = f"{prefix}.{item.name}"
        if dataclasses.is_dataclass(hints[item.name]):
            keys += keys_of(hints[item.name], name)
        else:
            keys.append(Key(name, hints[item.name], _default(item)))
    return keys


def from_file(
    file: Path | None, environ: Mapping[str, str], keys: Mapping[str, Key], classes: Iterable[str]
) -> dict[str, Given]:
    """What the TOML file gives for these sections. No file named and none there: nothing."""
    path = file or (Path(environ["SIZEWISE_CONFIG"]) if environ.get("SIZEWISE_CONFIG") else None)
    if path is None and not DEFAULT_FILE.is_file():
        return {}
    path = path or DEFAULT_FILE
    text, body = _read_toml(path)
    for section in body:
        if section not in SECTIONS:
            raise SettingsError(f"{path}: unknown section [{section}]{_nearest(section, SECTIONS)}")
    lines = _key_lines(text)
    wanted = {name: value for name, value in body.items() if name in set(classes)}
    given = {
        name: Given(value, "file", f"{path} line {lines[name]}" if name in lines else str(path))
        for name, value in _flatten(wanted, keys)
    }
    _refuse_unknown(given, keys)
    return given


def from_environ(environ: Mapping[str, str], keys: Mapping[str, Key], classes: Iterable[str]) -> dict[str, Given]:
    """What SIZEWISE_SECTION__KEY variables give. Two underscores, because Kubernetes sets SIZEWISE_API_PORT itself
    beside a Service called sizewise-api."""
    given: dict[str, Given] = {}
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable in RESERVED or _is_service_link(variable):
            continue
        section, *rest = variable.removeprefix(PREFIX).lower().split("__")
        if not rest or section not in SECTIONS:
            known = [key.variable for key in keys.values()]
            told = "***" if _SECRET.search(variable.lower()) else repr(value)
            raise SettingsError(f"{variable}={told}: no such setting{_nearest(variable, known)}")
        if section in set(classes):
            given[".".join([section, *rest])] = Given(value, "environment", variable)
    _refuse_unknown(given, keys)
    return given


def shown(key: Key, value: object) -> object:
    """The value as `sizewise config` may print it: secrets masked."""
    return "***" if key.secret and value not in ("", None) else value


def _is_service_link(variable: str) -> bool:
    return "__" not in variable and bool(_KUBERNETES.search(variable))


def _default(item: dataclasses.Field[Any]) -> object:
    if item.default is not dataclasses.MISSING:
        return item.default
    return item.default_factory() if item.default_factory is not dataclasses.MISSING else None


def _read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text()
        return text, tomllib.loads(text)
    except OSError as error:
        raise SettingsError(
            f"cannot read settings file {path}: {error.strerror}; name another with --config"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no valid TOML: {error}") from error


def _flatten(body: Mapping[str, Any], keys: Mapping[str, Key], prefix: str = "") -> Iterable[tuple[str, object]]:
    """Dotted name and value of every leaf; a table that is itself the value of a setting stays whole."""
    for name, value in body.items():
        dotted = prefix + name
        if isinstance(value, dict) and dotted not in keys:
            yield from _flatten(value, keys, dotted + ".")
        else:
            yield dotted, value


def _key_lines(text: str) -> dict[str, int]:
    """Line of each dotted key, for messages. tomllib keeps no positions; plain tables and keys are what we need."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[?([\w.-]+)\]", line):
            table = header[1] + "."
            lines.setdefault(header[1], number)
        elif pair := re.match(r"\s*([\w.-]+)\s*=", line):
            lines.setdefault(table + pair[1], number)
    return lines


def _refuse_unknown(given: Mapping[str, Given], keys: Mapping[str, Key]) -> None:
    for name, value in given.items():
        if name not in keys:
            by_env = value.layer == "environment"
            known = [key.variable if by_env else key.name for key in keys.values()]
            asked = value.where if by_env else name
            raise SettingsError(f"{value.where}: unknown setting {name} = {value.value!r}{_nearest(asked, known)}")


def _nearest(word: str, known: Iterable[str]) -> str:
    options = list(known)
    close = get_close_matches(word, options, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(options)}"


def _convert(key: Key, given: Given) -> object:
    try:
        value = _parse(given.value, key.type)
        _refuse_unknown_inside(value, key.type)
        return msgspec.convert(value, key.type, strict=False)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        text = "***" if key.secret else repr(given.value)
        raise SettingsError(f"{given.where}: {key.name} = {text} does not fit: {error}") from error


def _parse(value: object, kind: Any) -> object:
    """A variable or flag is text: a list in it is separated by commas, or JSON."""
    if not isinstance(value, str) or not any(typing.get_origin(one) in _OF_SEVERAL for one in _alternatives(kind)):
        return value
    if value.lstrip().startswith(("[", "{")):
        return msgspec.json.decode(value)
    return [part.strip() for part in value.split(",") if part.strip()]


_OF_SEVERAL = (tuple, list, dict, Mapping)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    """Of a union its members, else the type itself."""
    return typing.get_args(kind) if typing.get_origin(kind) is UnionType else (kind,)


def _refuse_unknown_inside(value: object, kind: Any) -> None:
    """msgspec ignores unknown fields of a dataclass; in settings they are typing mistakes."""
    inner = next(iter(typing.get_args(kind)), None)
    if isinstance(value, list) and dataclasses.is_dataclass(inner):
        known = {item.name for item in dataclasses.fields(inner)}
        for item in value:
            if unknown := sorted(set(item) - known if isinstance(item, dict) else ()):
                raise msgspec.ValidationError(f"unknown field {unknown[0]}{_nearest(unknown[0], known)}")


def _build(cls: type[Any], prefix: str, values: Mapping[str, object], given: Mapping[str, Given]) -> Any:
    hints = typing.get_type_hints(cls)
    arguments: dict[str, object] = {}
    for item in dataclasses.fields(cls):
        name = f"{prefix}.{item.name}"
        if dataclasses.is_dataclass(hints[item.name]):
            arguments[item.name] = _build(typing.cast(type[Any], hints[item.name]), name, values, given)
        elif name in values:
            arguments[item.name] = values[name]
    try:
        return cls(**arguments)
    except (ValueError, TypeError) as error:
        sources = sorted({value.where for name, value in given.items() if name.startswith(prefix + ".")})
        raise SettingsError(f"[{prefix}] {error} (given by {', '.join(sources) or 'its defaults'})") from error
