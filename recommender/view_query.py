"""Questions to a snapshot: filter, sort and page, by columns over all workloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.columns import Array
from models.profile import RESOURCES
from models.reasons import Action, Reason
from recommender.view import Row, Snapshot

CORE_PER_GIB = 1 / 7.5
"""Weighs memory against CPU in `saving`: where both are sold apart (GCP E2: 0.0218 USD per vCPU hour, 0.0029 USD per
GiB hour) a core costs as much as 7.5 GiB."""

_GIB = 1 << 30
_MEASURES = ("request_now", "limit_now", "target", "lower", "upper", "usage_p50", "usage_p95", "usage_peak")
_UNIT = {"cpu": "cores", "memory": "bytes"}


class QueryError(ValueError):
    """A question that cannot be answered. `field`, `value` and `mend` say which part and what would be right."""

    def __init__(self, field: str, value: object, mend: str) -> None:
        super().__init__(f"{field} = {value!r}: {mend}")
        self.field, self.value, self.mend = field, value, mend


@dataclass(frozen=True, slots=True)
class Query:
    """Which workloads, in which order. None and "" ask for nothing."""

    cluster: str | None = None
    namespace: str | None = None
    kind: str | None = None
    name: str | None = None
    """Part of the name or container, in any case."""
    action: str | None = None
    """An action in kebab-case; either resource may have it."""
    reason: str | None = None
    """A reason code; either resource may have it."""
    gpu: bool | None = None
    """Whether it ever had a GPU."""
    min_cpu_saving_cores: float | None = None
    min_memory_saving_bytes: float | None = None
    sort: str = "-saving"
    """A key of SORTS; a leading `-` sorts downwards. Values not known come last either way."""
    offset: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Row]
    places: Array
    """Places of all workloads that the filter let through, over all pages, unsorted."""

    @property
    def total(self) -> int:
        return len(self.places)


def ask(snapshot: Snapshot, query: Query) -> Page:
    """Raises QueryError for a sort key, action or reason that does not exist."""
    key, descending = _sort_key(query.sort)
    kept = np.flatnonzero(_mask(snapshot, query))
    values = key(snapshot)[kept]
    order = kept[_order(values, descending)]
    return Page(list(snapshot.rows(order[query.offset : query.offset + query.limit])), kept)


def _mask(snapshot: Snapshot, query: Query) -> Array:
    mask = np.ones(len(snapshot), dtype=bool)
    for column in ("cluster", "namespace", "kind"):
        wanted = getattr(query, column)
        if wanted:
            mask &= _bools(pc.equal(snapshot.names[column], wanted))
    if query.name:
        hits = [pc.match_substring(snapshot.names[c], query.name, ignore_case=True) for c in ("name", "container")]
        mask &= _bools(pc.or_(*hits))
    if query.action:
        mask &= (snapshot.columns["action"] == _action(query.action)).any(axis=1)
    if query.reason:
        mask &= ((snapshot.columns["reasons"] & np.uint64(_reason(query.reason))) != 0).any(axis=1)
    if query.gpu is not None:
        mask &= (snapshot.columns["gpu_last_seen_ms"] > 0) == query.gpu
    for resource, least in enumerate((query.min_cpu_saving_cores, query.min_memory_saving_bytes)):
        if least is not None:
            mask &= snapshot.saving[:, resource] >= least  # NaN (not known) is never enough
    return mask


def _bools(chunked: pa.ChunkedArray) -> Array:
    return np.asarray(chunked.to_numpy(), dtype=bool)


def _order(values: Array, descending: bool) -> Array:
    """Stable, so that pages of one snapshot never overlap; NaN last in both directions."""
    if values.dtype.kind == "f":
        return np.argsort(-values if descending else values, kind="stable")
    if descending:
        return len(values) - 1 - np.argsort(values[::-1], kind="stable")[::-1]
    return np.argsort(values, kind="stable")


def _action(code: str) -> int:
    names = {action_code(action): int(action) for action in Action}
    if code not in names:
        raise QueryError("action", code, f"use one of {', '.join(names)}")
    return names[code]


def _reason(code: str) -> int:
    names = {str(reason.name).lower().replace("_", "-"): int(reason) for reason in Reason}
    if code not in names:
        raise QueryError("reason", code, f"use one of {', '.join(names)}")
    return names[code]


def action_code(action: int) -> str:
    """`insufficient`, `leave`, `raise`, `lower`, `set`, ..."""
    return Action(action).name.lower().replace("_", "-")


def _sort_key(sort: str) -> tuple[Callable[[Snapshot], Array], bool]:
    name = sort.removeprefix("-")
    if name not in SORTS:
        raise QueryError("sort", sort, f"use one of {', '.join(SORTS)}, with a leading - to sort downwards")
    return SORTS[name], sort.startswith("-")


def _measure(column: str, resource: int) -> Callable[[Snapshot], Array]:
    return lambda snapshot: snapshot.columns[column][:, resource]


def _saving(resource: int) -> Callable[[Snapshot], Array]:
    return lambda snapshot: snapshot.saving[:, resource]


def _plain(column: str) -> Callable[[Snapshot], Array]:
    return lambda snapshot: snapshot.columns[column]


def weighted_saving(snapshot: Snapshot) -> Array:
    """Saving in cores, memory counted by CORE_PER_GIB; NaN only where neither is known."""
    weighted = snapshot.saving * np.array([1.0, CORE_PER_GIB / _GIB])
    known = ~np.isnan(weighted)
    return np.where(known.any(axis=1), np.nansum(weighted, axis=1), np.nan)


def _names(snapshot: Snapshot) -> Array:
    return np.asarray(snapshot.names["id"].to_numpy(zero_copy_only=False), dtype=object)


SORTS: Mapping[str, Callable[[Snapshot], Array]] = {
    "saving": weighted_saving,
    "id": _names,
    "confidence_ratio": _plain("confidence"),
    "first_seen": _plain("first_seen_ms"),
    "last_seen": _plain("last_seen_ms"),
    "covered_hours": _plain("covered_ms"),
    "oom_kills": _plain("oom_kills"),
    **{
        f"{resource}_{measure}_{_UNIT[resource]}": _measure(measure, number)
        for number, resource in enumerate(RESOURCES)
        for measure in _MEASURES
    },
    **{f"{resource}_saving_{_UNIT[resource]}": _saving(number) for number, resource in enumerate(RESOURCES)},
}
"""What can be sorted by; the names are those of the answer's fields."""
