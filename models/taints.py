"""Taints of nodes and tolerations of pods, by the rule of Kubernetes (k8s.io/api core/v1 `Toleration.ToleratesTaint`).

A node that is cordoned or whose conditions are bad bears a taint that says so, which the node controller sets; a collector
that sees the state before that sets it too, so that here taints are all there is to look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

NO_SCHEDULE, PREFER_NO_SCHEDULE, NO_EXECUTE = "NoSchedule", "PreferNoSchedule", "NoExecute"
EFFECTS = (NO_SCHEDULE, PREFER_NO_SCHEDULE, NO_EXECUTE)
EQUAL, EXISTS = "Equal", "Exists"
OPERATORS = (EQUAL, EXISTS)


@dataclass(frozen=True, slots=True, order=True)
class Taint:
    """Keeps off the node who does not tolerate it: by NoSchedule and NoExecute for good, by PreferNoSchedule if it can."""

    key: str
    effect: str
    value: str = ""

    def __str__(self) -> str:
        """As kubectl writes it: `nvidia.com/gpu=present:NoSchedule`."""
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


@dataclass(frozen=True, slots=True, order=True)
class Toleration:
    """An empty key with Exists tolerates every taint; an empty effect stands for all; an empty operator is Equal."""

    key: str = ""
    operator: str = EQUAL
    value: str = ""
    effect: str = ""

    def tolerates(self, taint: Taint) -> bool:
        """Of an operator that is neither Equal nor Exists it is not known, so it tolerates nothing."""
        if self.effect not in ("", taint.effect) or self.key not in ("", taint.key):
            return False
        return self.operator == EXISTS or (self.operator in ("", EQUAL) and self.value == taint.value)


EVERY = Toleration(operator=EXISTS)
"""Tolerates whatever a node bears."""


def read_taint(text: str) -> Taint:
    """One as kubectl writes it. Raises ValueError."""
    written, _, effect = text.rpartition(":")
    key, _, value = written.partition("=")
    if not key or effect not in EFFECTS:
        raise ValueError(
            f"{text!r} is no taint; it is written KEY=VALUE:EFFECT or KEY:EFFECT, EFFECT of {', '.join(EFFECTS)}"
        )
    return Taint(key, effect, value)


def read_toleration(text: str) -> Toleration:
    """`KEY=VALUE:EFFECT` tolerates that taint, `KEY:EFFECT` and `KEY` those with any value, `*` every one. Raises ValueError."""
    if text == "*":
        return EVERY
    written, colon, effect = text.rpartition(":") if ":" in text else (text, "", "")
    key, equal, value = written.partition("=")
    if not key or (colon and effect not in EFFECTS):
        raise ValueError(f"{text!r} is no toleration; it is written KEY=VALUE:EFFECT, KEY:EFFECT, KEY or *")
    return Toleration(key, EQUAL if equal else EXISTS, value, effect)


CORDONED = Taint("node.kubernetes.io/unschedulable", NO_SCHEDULE)
NOT_READY = Taint("node.kubernetes.io/not-ready", NO_SCHEDULE)
UNREACHABLE = Taint("node.kubernetes.io/unreachable", NO_SCHEDULE)
_PRESSED = {
    "MemoryPressure": Taint("node.kubernetes.io/memory-pressure", NO_SCHEDULE),
    "DiskPressure": Taint("node.kubernetes.io/disk-pressure", NO_SCHEDULE),
    "PIDPressure": Taint("node.kubernetes.io/pid-pressure", NO_SCHEDULE),
    "NetworkUnavailable": Taint("node.kubernetes.io/network-unavailable", NO_SCHEDULE),
}
CONDITIONS = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    **{(condition, "True"): taint for condition, taint in _PRESSED.items()},
}
"""(condition, status) of a node to the taint that it means (k8s.io/kubernetes pkg/controller/nodelifecycle)."""

_STATES = {
    CORDONED.key: "cordoned",
    NOT_READY.key: "not ready",
    UNREACHABLE.key: "unreachable",
    "node.kubernetes.io/memory-pressure": "short of memory",
    "node.kubernetes.io/disk-pressure": "short of disk",
    "node.kubernetes.io/pid-pressure": "short of process ids",
    "node.kubernetes.io/network-unavailable": "without a network",
    "node.kubernetes.io/out-of-service": "out of service",
}
"""What the taint says of the node, by key."""


def united(parts: Iterable[Iterable[Taint]]) -> tuple[Taint, ...]:
    """Each once: Kubernetes knows a taint of a node by its key and effect, and the first to name it wins."""
    found: dict[tuple[str, str], Taint] = {}
    for taint in (taint for part in parts for taint in part):
        found.setdefault((taint.key, taint.effect), taint)
    return tuple(found.values())


def untolerated(taints: Iterable[Taint], tolerations: Sequence[Toleration]) -> Iterator[Taint]:
    return (taint for taint in taints if not any(one.tolerates(taint) for one in tolerations))


def forbidding(taints: Iterable[Taint], tolerations: Sequence[Toleration]) -> tuple[Taint, ...]:
    """Those that keep a pod with these tolerations off the node; empty: it may go there."""
    return tuple(taint for taint in untolerated(taints, tolerations) if taint.effect in (NO_SCHEDULE, NO_EXECUTE))


def unwelcome(taints: Iterable[Taint], tolerations: Sequence[Toleration]) -> tuple[Taint, ...]:
    """Those for which the pod had better go elsewhere."""
    return tuple(taint for taint in untolerated(taints, tolerations) if taint.effect == PREFER_NO_SCHEDULE)


def state_of(taints: Sequence[Taint]) -> str:
    """`cordoned`, `tainted nvidia.com/gpu=present:NoSchedule`, or several of these: what they say of their node."""
    states = dict.fromkeys(_STATES[taint.key] for taint in taints if taint.key in _STATES)
    others = dict.fromkeys(f"tainted {taint}" for taint in taints if taint.key not in _STATES)
    return " and ".join((*states, *others))


def mend_of(taints: Iterable[Taint], node: str = "it") -> str:
    """What makes a node that bears these one that may be used."""
    keys = {taint.key for taint in taints}
    mends = []
    if CORDONED.key in keys:
        mends.append(f"`kubectl uncordon` opens {node}")
    if (keys & _STATES.keys()) - {CORDONED.key}:
        mends.append("`kubectl describe node` says why")
    if keys - _STATES.keys():
        mends.append(f"add a toleration to use {node}")
    return ", ".join(mends)
