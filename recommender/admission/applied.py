"""The annotation that says what was changed, by which recommendation, and what was there before: enough to undo it.

`sizewise.dev/applied` = {"id": ids of the recommendations, "at": UTC, "before": {container: {requests, limits}}, "after": ...}
`sizewise.dev/recommended` = {"id": ..., "now": ..., "would": ...}, where nothing was changed
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

import msgspec

from recommender.admission.wire import Container

APPLIED = "sizewise.dev/applied"
RECOMMENDED = "sizewise.dev/recommended"
SAME_ADMISSION_S = 120.0
"""Age up to which the annotation was written in this very admission, which a request ends after some 30 s; the rest is
for clocks of replicas that differ. An older one was copied with a manifest and says nothing of this pod."""

Part = dict[Literal["requests", "limits"], dict[str, str]]
Sizes = dict[str, Part]
"""Container, part, resource, quantity."""


class Applied(msgspec.Struct):
    id: str
    at: str
    before: Sizes
    after: Sizes

    def text(self) -> str:
        return msgspec.json.encode(self).decode()


class Recommended(msgspec.Struct):
    id: str
    now: Sizes
    would: Sizes

    def text(self) -> str:
        return msgspec.json.encode(self).decode()


def applied_now(annotations: Mapping[str, str], now_s: float) -> Applied | None:
    """What an earlier call of this admission did; None: nothing."""
    text = annotations.get(APPLIED)
    if text is None:
        return None
    try:
        found = msgspec.json.decode(text, type=Applied)
        age_s = abs(now_s - datetime.fromisoformat(found.at).timestamp())
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return None
    return found if age_s <= SAME_ADMISSION_S else None


def holds(container: Container, sizes: Part) -> bool:
    """Whether a container has these very quantities still."""
    resources = container.resources
    have = {"requests": resources.requests, "limits": resources.limits} if resources else {}
    return all(
        str((have.get(part) or {}).get(name)) == value
        for part, quantities in sizes.items()
        for name, value in quantities.items()
    )


def merged(*sizes: Sizes) -> Sizes:
    """Quantity by quantity, the later over the earlier."""
    result: Sizes = {}
    for one in sizes:
        for container, parts in one.items():
            into = result.setdefault(container, {"requests": {}, "limits": {}})
            for part, quantities in parts.items():
                into[part] = into[part] | quantities
    return result


def time_text(now_s: float) -> str:
    return datetime.fromtimestamp(int(now_s), UTC).isoformat().replace("+00:00", "Z")
