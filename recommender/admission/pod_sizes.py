"""The CPU and memory of all containers of a pod at once: each resized by itself, then held to what counts for the pod."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from models.profile import RESOURCES
from recommender.admission.advice import Advice
from recommender.admission.facts import FREE, Bounds, NamespaceFacts
from recommender.admission.patch import Where
from recommender.admission.resources import Held, HeldPair, held_of, qos_of
from recommender.admission.settings import PodPolicy
from recommender.admission.sizing import Kept, Rules, resized
from recommender.admission.wire import Container, PodSpec


@dataclass(frozen=True, slots=True)
class Slot:
    """One container of a pod and where it stands. starts_first: an init container that ends before the others start."""

    where: Where
    index: int
    container: Container
    held: HeldPair
    starts_first: bool


@dataclass(frozen=True, slots=True)
class Sized:
    """What one container gets: per resource the new size, or why it keeps the old one."""

    slot: Slot
    advice: Advice | None
    fate: tuple[Held | Kept, Held | Kept]

    @property
    def after(self) -> HeldPair:
        cpu, memory = (
            fate if isinstance(fate, Held) else held for fate, held in zip(self.fate, self.slot.held, strict=True)
        )
        return cpu, memory

    def keeping(self, number: int, why: Kept) -> Sized:
        """The same with one resource left alone."""
        if isinstance(self.fate[number], Kept):
            return self
        cpu, memory = (why if n == number else fate for n, fate in enumerate(self.fate))
        return replace(self, fate=(cpu, memory))


def slots_of(spec: PodSpec) -> list[Slot]:
    """Raises QuantityError for a quantity that is none."""
    main = [Slot("containers", i, c, held_of(c), False) for i, c in enumerate(spec.containers)]
    init = [
        Slot("initContainers", i, c, held_of(c), c.restart_policy != "Always")
        for i, c in enumerate(spec.init_containers or ())
    ]
    return main + init


def size_pod(
    slots: Sequence[Slot],
    advice: Mapping[str, Advice],
    policy: PodPolicy,
    facts: NamespaceFacts,
    kept: Kept | None,
    settled: frozenset[str] = frozenset(),
) -> list[Sized]:
    """`advice` by container name. kept: why none of it may be sized. settled: containers that are done already."""
    rules = tuple(_rules(name, policy, facts, kept) for name in RESOURCES)
    sized = [_one(slot, advice.get(slot.container.name), rules, settled) for slot in slots]
    for number, name in enumerate(RESOURCES):
        if _breaks(sized, number, facts.pod.get(name, FREE)):
            sized = [one.keeping(number, Kept.LIMIT_RANGE) for one in sized]
    changes = any(isinstance(fate, Held) for one in sized for fate in one.fate)
    if changes and qos_of(slot.held for slot in slots) != qos_of(one.after for one in sized):
        sized = [one.keeping(0, Kept.QOS).keeping(1, Kept.QOS) for one in sized]
    return sized


def _one(slot: Slot, advice: Advice | None, rules: Sequence[Rules], settled: frozenset[str]) -> Sized:
    if advice is None or slot.container.name in settled:
        return Sized(slot, advice, (Kept.NO_DATA, Kept.NO_DATA) if advice is None else (Kept.FITS, Kept.FITS))
    cpu, memory = (
        resized(number, slot.held[number], advice.resources[number], advice.confidence, rules[number])
        for number in range(len(RESOURCES))
    )
    return Sized(slot, advice, (cpu, memory))


def _rules(name: str, policy: PodPolicy, facts: NamespaceFacts, kept: Kept | None) -> Rules:
    no_raise = Kept.QUOTA if name in facts.counted else (Kept.SHRINK_ONLY if policy.shrink_only else None)
    return Rules(
        policy.min_confidence_ratio,
        policy.min_change_ratio,
        policy.max_raise_ratio,
        policy.max_lower_ratio,
        policy.limits,
        no_raise,
        kept,
        facts.container.get(name, FREE),
    )


def _breaks(sized: Sequence[Sized], number: int, bounds: Bounds) -> bool:
    """Whether the pod as a whole would leave a LimitRange of type Pod."""
    if bounds is FREE or all(isinstance(one.fate[number], Kept) for one in sized):
        return False
    return not bounds.allow(_whole(sized, number, "request"), _whole(sized, number, "limit"))


def _whole(sized: Sequence[Sized], number: int, part: str) -> Decimal:
    """All that run side by side, or the largest of those that start first, as Kubernetes counts a pod."""
    beside = sum((getattr(one.after[number], part) for one in sized if not one.slot.starts_first), Decimal(0))
    first = max((getattr(one.after[number], part) for one in sized if one.slot.starts_first), default=Decimal(0))
    return max(beside, first)
