"""Whether an answer is all of what was asked for, and whether a refusal is one of too much at once.

Each system has a way of its own, seen in Thanos 0.42, Mimir 3.0 and VictoriaMetrics 1.151: a querier of Thanos whose
store is away, slow or over a limit answers 200 with an empty or a shorter result and the reason under `warnings`; Mimir
cuts lists off and says so there; VictoriaMetrics' cluster says `isPartial`. Over its limits Mimir answers 422, or to
remote read 400 or 500; VictoriaMetrics and Prometheus answer 422, or 400 where there are too many steps.
"""

from __future__ import annotations

import re

import msgspec

_SUSPECTS = b'"warnings":[', b'"isPartial":true'
"""Cannot occur in a text of JSON, where quotes are escaped: the millions of samples need not be decoded to look."""
_LIMIT = re.compile(
    r"err-mimir-max-|-search\.max|ResourceExhausted|too many|not enough memory|maximum resolution|limit \d+ violated"
)
_REFUSALS = (400, 413, 422, 500)
_OF_PROMQL = "PromQL "
"""What Prometheus says of the query itself begins so, and tells of no hole."""


class _Remarks(msgspec.Struct):
    warnings: list[str] = []
    is_partial: bool = msgspec.field(default=False, name="isPartial")


class _Store(msgspec.Struct):
    name: str = ""
    error: str | None = msgspec.field(default=None, name="lastError")


class _Stores(msgspec.Struct):
    data: dict[str, list[_Store]]


_REMARKS = msgspec.json.Decoder(_Remarks)
_STORES = msgspec.json.Decoder(_Stores)


def missing_in(body: bytes) -> str:
    """Why a part of the answer is missing; empty where it is whole."""
    if not any(suspect in body for suspect in _SUSPECTS):
        return ""
    remarks = _REMARKS.decode(body)
    holes = [text for text in remarks.warnings if not text.startswith(_OF_PROMQL)]
    return "; ".join(holes) or ("it is partial" if remarks.is_partial else "")


def is_limit(text: str) -> bool:
    """Whether these words are of a limit that a smaller question may keep to."""
    return _LIMIT.search(text) is not None


def limit_in(status: int, body: bytes) -> str:
    """The server's words where it refused for a limit of its own; else empty."""
    if status not in _REFUSALS:
        return ""
    text = body.decode(errors="replace")
    return text if is_limit(text) else ""


def stores_away(body: bytes) -> str:
    """Which stores of a Thanos querier do not answer (`/api/v1/stores`); empty where all do. Raises msgspec.MsgspecError
    when it is no list of stores.

    A querier asks a store that was found dead no more, and warns no more: only this list still tells, for five minutes."""
    found = _STORES.decode(body).data.values()
    return "; ".join(f"store {one.name}: {one.error}" for stores in found for one in stores if one.error)
