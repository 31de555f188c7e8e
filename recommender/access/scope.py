"""What an asker may do, and on which namespaces. What is not named is not allowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeVar, get_args
from urllib.parse import quote, unquote

from models.workload import WorkloadName

T = TypeVar("T")

Verb = Literal["read", "decide", "place", "extend", "metrics"]

VERBS: Mapping[Verb, str] = {
    "read": "workloads, recommendations, their change feed, nodes",
    "decide": "sizes and placement for a job: POST /v1/recommend; tells which room of nodes is free",
    "place": "nodes for a job: POST /v1/place, /v1/pack; tells which room of nodes is free",
    "extend": "filter and prioritize for a scheduler; tells which room of nodes is free",
    "metrics": "/metrics, which speaks of the whole fleet: only with every namespace",
}
"""What can be allowed. No verb changes anything: tokens are made and revoked on the log itself, by who may write to it."""

FLEET_WIDE: frozenset[str] = frozenset({"metrics"})
"""Verbs whose answer cannot be cut to some namespaces."""

EVERY = "*"
_ALL = f"{EVERY}/{EVERY}"


class ScopeError(ValueError):
    """A verb or namespace that cannot be. The message names it and the mend."""


@dataclass(frozen=True, slots=True)
class Scope:
    """verbs that are allowed, on workloads whose `cluster/namespace` one of `namespaces` names.

    A pattern has two parts, each a name (percent-encoded as in workload ids) or `*` for any. Make one by `Scope.of`, which
    checks and orders: two scopes that allow the same are equal, and one cache entry.
    """

    verbs: frozenset[str]
    namespaces: tuple[str, ...]

    @classmethod
    def of(cls, verbs: Iterable[str], namespaces: Iterable[str]) -> Scope:
        """Raises ScopeError for a verb that does not exist, a pattern of another form, or none of either."""
        allowed = frozenset(_verb(verb) for verb in verbs)
        if not allowed:
            _refuse_none("verbs")
        return cls(allowed, _ordered(namespaces))

    @property
    def everywhere(self) -> bool:
        """Whether it holds for every namespace there is or will be."""
        return self.namespaces == (_ALL,)

    def may(self, verb: str) -> bool:
        return verb in self.verbs and (self.everywhere or verb not in FLEET_WIDE)

    def sees_cluster(self, cluster: str) -> bool:
        """Whether any of its namespaces may lie there."""
        return any(c in (EVERY, cluster) for c, _ in self._patterns())

    def pick(self, index: Mapping[str, Mapping[str, T]]) -> Iterator[T]:
        """What an index by cluster and namespace holds of it, in order of the names. Of exact names nothing else is looked
        at, so that the time it takes does not grow with what others have. A name of two empty parts, as ids of foreign forms
        have, is of nobody."""
        found: dict[tuple[str, str], T] = {}
        for cluster, namespace in self._patterns():
            for c in index if cluster == EVERY else (cluster,):
                there = index.get(c, {})
                for n in there if namespace == EVERY else (namespace,):
                    if n in there and (c or n):
                        found[c, n] = there[n]
        for key in sorted(found):
            yield found[key]

    def _patterns(self) -> Iterator[tuple[str, str]]:
        for pattern in self.namespaces:
            cluster, _, namespace = pattern.partition("/")
            yield unquote(cluster), unquote(namespace)


def namespace_of(workload_id: str) -> tuple[str, str]:
    """(cluster, namespace) of a workload; two empty names for an id of a foreign form."""
    try:
        name = WorkloadName.parse(workload_id)
    except ValueError:
        return "", ""
    return name.cluster, name.namespace


def namespace_text(cluster: str, namespace: str) -> str:
    """As patterns and audit entries write it."""
    return f"{quote(cluster, safe='')}/{quote(namespace, safe='')}"


def _verb(verb: str) -> str:
    if verb not in get_args(Verb):
        raise ScopeError(f"verb {verb!r} does not exist; there are {', '.join(VERBS)}")
    return verb


def _ordered(namespaces: Iterable[str]) -> tuple[str, ...]:
    patterns = {_pattern(pattern) for pattern in namespaces}
    if not patterns:
        _refuse_none("namespaces")
    return (_ALL,) if _ALL in patterns else tuple(sorted(patterns))


def _pattern(pattern: str) -> str:
    if pattern == EVERY:
        return _ALL
    cluster, slash, namespace = pattern.partition("/")
    wrong = [part for part in (cluster, namespace) if not part or "/" in part or (EVERY in part and part != EVERY)]
    if not slash or wrong:
        raise ScopeError(
            f"namespace {pattern!r} does not fit; write CLUSTER/NAMESPACE, either of them * for any, or * for everything"
        )
    return pattern


def _refuse_none(what: str) -> NoReturn:
    raise ScopeError(f"no {what} given: that would allow nothing")


EVERYTHING = Scope(frozenset(get_args(Verb)), (_ALL,))
"""What who asks on loopback may, where no token is asked."""
