"""Texts into weighted tokens: words and pairs of neighbouring words, as 32-bit hashes that every process agrees on."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from models.workload import WorkloadName
from recommender.kin.job import JobFacts

Tokens = Mapping[int, float]
"""Weight by hash. A token that comes twice has its larger weight."""

_WORD = re.compile(r"[a-z]+|\d+")
"""Letters and digits apart, so that `resnet50`, `resnet-50` and `ResNet_50` are the same two words."""
_MAX_WORDS = 64
"""Of one text: a command line that carries data must not drown what is before it."""
_PAIR = 1.5
"""Weight of a pair against a word: words in order say more than words."""
_NUMBER = 0.5
"""Weight of a number against a word: many are dates and counters, and those that say a size stand in a pair as well."""
_LAUNCHERS = frozenset(
    {"sh", "bash", "c", "exec", "python", "python3", "usr", "bin", "local", "env", "m", "py", "latest"}
)
"""Words of nearly every command and image."""

IMAGE, COMMAND, MODEL, NAME, CONTAINER, LABEL, OWNER, NAMESPACE, KIND = 2.0, 1.5, 2.0, 1.5, 1.0, 0.5, 0.5, 0.5, 0.25
"""How much the words of a text say of what runs. Chosen by what each is for, not fitted."""


def tokens(texts: Iterable[tuple[str, float]]) -> Tokens:
    """Of texts and their weights."""
    found: dict[int, float] = {}
    for text, weight in texts:
        words = [word for word in _WORD.findall(text.lower())[:_MAX_WORDS] if word not in _LAUNCHERS]
        alone = ((word, weight * (_NUMBER if word.isdigit() else 1.0)) for word in words)
        pairs = ((f"{left} {right}", weight * _PAIR) for left, right in pairwise(words))
        for token, worth in (*alone, *pairs):
            code = zlib.crc32(token.encode())
            found[code] = max(worth, found.get(code, 0.0))
    return found


def of_workload(workload: str, image: str = "", command: str = "") -> Tokens:
    """Of a workload that is known, by its id and what its nodes tell of it."""
    return tokens([*_name(workload), (_program(image), IMAGE), (command, COMMAND)])


def of_job(job: JobFacts) -> Tokens:
    labels = ((f"{key.rpartition('/')[2]} {value}", LABEL) for key, value in job.labels.items())
    said: Sequence[tuple[str, float]] = (
        (_program(job.image), IMAGE),
        (" ".join(job.command), COMMAND),
        (job.model, MODEL),
        (job.owner, OWNER),
    )
    return tokens([*_name(job.workload), *said, *labels])


def _name(workload: str) -> list[tuple[str, float]]:
    try:
        name = WorkloadName.parse(workload)
    except ValueError:  # a foreign producer's id is all name
        return [(workload, NAME)]
    return [(name.name, NAME), (name.container, CONTAINER), (name.namespace, NAMESPACE), (name.kind, KIND)]


def _program(image: str) -> str:
    """An image without its registry, tag and digest: `ghcr.io/org/bert:1.2@sha256:...` is `org/bert`."""
    bare = image.partition("@")[0]
    head, slash, rest = bare.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        bare = rest
    return re.sub(r":[^/:]*$", "", bare)
