"""What a person calls a process: the program, or the script, module or archive that an interpreter runs.

Arguments may hold passwords. Nothing of a command line but a program, script, module, class or archive name gets out.
"""

from __future__ import annotations

import re

_MAX_CHARS = 64
_UNSAFE = re.compile(r"[^A-Za-z0-9._+@:-]")
_VERSION = re.compile(r"(?<=[a-z])-?\d+(?:\.\d+)*$")
_JAR_VERSION = re.compile(r"-\d[\w.+-]*(?=\.jar$)")
_TITLE = re.compile(r"^([A-Za-z][\w.+-]*): ")
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish", "ash"})
_INTERPRETERS = frozenset({"python", "pypy", "node", "nodejs", "ruby", "perl", "php", "Rscript", "lua", *_SHELLS})
_NO_SCRIPT = frozenset({"-c", "-e", "-E", "--eval", "-p", "-n", "-r"})
"""What follows is program text: it is never looked at."""
_TAKES_VALUE = frozenset({"-W", "-X", "--require", "--import", "--loader", "-I", "-O", "-o", "--rcfile", "--init-file"})
_JAVA_TAKES_VALUE = frozenset({"-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules"})
_GENERIC = frozenset({"main.py", "__main__.py", "app.py", "run.py", "manage.py", "index.js", "server.js", "main.js"})
"""Script names that say nothing: the folder's name goes before them."""


def command_name(arguments: list[str], comm: str) -> str:
    """A stable, safe name of at most 64 characters. `comm` is the kernel's name, for a process without arguments."""
    words = arguments if any(arguments) else [comm]
    return _clean(_named(words, comm)) or _clean(comm) or "unnamed"


def split_arguments(cmdline: bytes) -> list[str]:
    """/proc/PID/cmdline as words. A program that writes its own title leaves spaces and one word."""
    return [word.decode("utf-8", "replace") for word in cmdline.rstrip(b"\0").split(b"\0")]


def _named(words: list[str], comm: str) -> str:
    if title := _TITLE.match(words[0]):
        return title[1]
    program = _program(words[0])
    plain = (
        _VERSION.sub("", program) if program.startswith(("python", "pypy", "lua", "php", "ruby", "perl")) else program
    )
    if plain == "java":
        return _java(words[1:])
    if plain in _INTERPRETERS:
        return _script(plain, words[1:])
    return program or comm


def _program(word: str) -> str:
    """The base name of argv[0]; a rewritten title may hold arguments after a space."""
    return word.split(" ", 1)[0].rstrip("/").rpartition("/")[2].lstrip("-")


def _script(interpreter: str, words: list[str]) -> str:
    rest = iter(words)
    for word in rest:
        if word == "-m" and interpreter in ("python", "pypy"):
            return _safe_name(next(rest, ""), interpreter)
        if word in _NO_SCRIPT or (interpreter in _SHELLS and re.fullmatch(r"-[a-z]*c[a-z]*", word)):
            return interpreter
        if word in _TAKES_VALUE:
            next(rest, "")
        elif not word.startswith(("-", "+")):
            return _safe_name(_file(word), interpreter)
    return interpreter


def _java(words: list[str]) -> str:
    rest = iter(words)
    for word in rest:
        if word == "-jar":
            return _safe_name(_JAR_VERSION.sub("", _file(next(rest, ""))), "java")
        if word in ("-m", "--module"):
            return _safe_name(next(rest, ""), "java")
        if word in _JAVA_TAKES_VALUE:
            next(rest, "")
        elif not word.startswith(("-", "@")):
            return _safe_name(word, "java")
    return "java"


def _file(path: str) -> str:
    folder, _, name = path.rpartition("/")
    parent = folder.rpartition("/")[2]
    return f"{parent}:{name}" if name in _GENERIC and parent not in ("", ".", "..") else name


def _safe_name(name: str, otherwise: str) -> str:
    """A file or module name as it is; anything that looks like text, an address or a setting is not repeated."""
    if name.isdigit():  # /dev/fd/3 is no name
        return otherwise
    return name if name and len(name) <= _MAX_CHARS and not re.search(r"[=\s;&|$(){}<>'\"]|://", name) else otherwise


def _clean(name: str) -> str:
    return _UNSAFE.sub("_", name)[:_MAX_CHARS].strip("_")
