"""Workload ids in URLs. An id may stand in a path as it is, or percent-encoded once more as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, unquote

from models.workload import WorkloadName

PREFIX = "/v1/workloads/"
SUFFIX = "/recommendation"
SERIES_SUFFIX = "/series"


def candidates(raw: str) -> Iterator[str]:
    """Ids that a raw (undecoded) path segment may mean, likeliest first.

    `a/b/c/d/e`, `a/b/c/d/` and, where a proxy cut the last slash, `a/b/c/d` are ids as they are; in each part anything
    may be percent-encoded or not. `a%2Fb%2Fc%2Fd%2Fe` is an id encoded as a whole.
    """
    for text in dict.fromkeys((raw, unquote(raw))):
        if text.count("/") == 3:
            text += "/"
        if text.count("/") == 4:
            yield str(WorkloadName.parse(text))
        else:
            yield text  # an id of a foreign producer


def raw_id(raw_path: bytes, root_path: str = "") -> str:
    """The id in the path of a request, suffix included, as the client sent it."""
    return raw_path.decode("latin-1").removeprefix(root_path).partition("?")[0].removeprefix(PREFIX)


def path_of(workload_id: str) -> str:
    """The path at which a workload is found."""
    return PREFIX + quote(workload_id, safe="/%-._~@+:")
