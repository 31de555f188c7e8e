"""What is to become of one container, in quantities as Kubernetes reads them and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from math import isfinite

from models.profile import CPU, RESOURCES
from models.quantity import cpu_text, memory_text
from recommender.admission import words
from recommender.admission.advice import Advice, SliceAdvice
from recommender.admission.applied import Part, Sizes, merged
from recommender.admission.patch import Edit
from recommender.admission.pod_sizes import Sized, Slot
from recommender.admission.resources import Held
from recommender.admission.sizing import asked_for
from recommender.admission.slices import slice_instead
from recommender.admission.wire import Quantities
from recommender.mig.dialects import WHOLE_GPU

Wanted = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """requests, limits: new quantities by resource; None takes one away. steps: the same in words."""

    slot: Slot
    advice: Advice
    requests: Wanted
    limits: Wanted
    steps: tuple[str, ...]

    @property
    def container(self) -> str:
        return self.slot.container.name

    def before(self) -> Part:
        """What it had of what changes, as it was written."""
        resources = self.slot.container.resources
        requests, limits = (resources.requests, resources.limits) if resources else (None, None)
        return {"requests": _had(requests, self.requests), "limits": _had(limits, self.limits)}

    def after(self) -> Part:
        return {"requests": _given(self.requests), "limits": _given(self.limits)}


def size_plan(sized: Sized) -> Plan | None:
    """For CPU and memory; None where nothing changes."""
    fates = [(n, fate) for n, fate in enumerate(sized.fate) if isinstance(fate, Held)]
    if not fates or sized.advice is None:
        return None
    limits = {RESOURCES[n]: quantity(n, new.limit) for n, new in fates if new.limit != sized.slot.held[n].limit}
    requests = {RESOURCES[n]: quantity(n, new.request) for n, new in fates}
    steps = tuple(_step(n, sized.slot.held[n], new) for n, new in fates)
    return Plan(sized.slot, sized.advice, requests, limits, steps)


def slice_plan(slot: Slot, advice: Advice, wanted: SliceAdvice) -> Plan:
    requests, limits = slice_instead(slot.container, wanted)
    speed = f"{wanted.speed_ratio:.0%} of its speed"
    return Plan(slot, advice, requests, limits, (f"{words.step(WHOLE_GPU, '1', wanted.profile)} ({speed})",))


def edits_of(plans: Iterable[Plan]) -> list[Edit]:
    """One per container, which may have a plan for CPU and memory and another for its GPU."""
    edits: dict[tuple[str, int], Edit] = {}
    for plan in plans:
        slot = plan.slot
        known = edits.get((slot.where, slot.index), Edit(slot.where, slot.index, slot.container, {}, {}))
        both = replace(known, requests={**known.requests, **plan.requests}, limits={**known.limits, **plan.limits})
        edits[slot.where, slot.index] = both
    return list(edits.values())


def sizes_before(plans: Iterable[Plan]) -> Sizes:
    return merged(*({plan.container: plan.before()} for plan in plans))


def sizes_after(plans: Iterable[Plan]) -> Sizes:
    return merged(*({plan.container: plan.after()} for plan in plans))


@lru_cache(4096)
def quantity(number: int, value: Decimal) -> str:
    """Of a resource by its place in models.profile.RESOURCES. Remembered: a fleet has few sizes, and a review writes ten."""
    return cpu_text(value) if number == CPU else memory_text(value)


def _step(number: int, before: Held, after: Held) -> str:
    step = words.step(RESOURCES[number], quantity(number, before.request), quantity(number, after.request))
    if after.limit == before.limit or before.equal:
        return step
    return f"{step} (limit {quantity(number, before.limit)} -> {quantity(number, after.limit)})"


def _had(quantities: Quantities | None, changed: Wanted) -> dict[str, str]:
    return {name: str(value) for name, value in (quantities or {}).items() if name in changed}


def _given(changed: Wanted) -> dict[str, str]:
    return {name: value for name, value in changed.items() if value is not None}


def needs(advice: Advice) -> str:
    """Its targets in words; empty when too little was seen."""
    sizes = [(n, one.target) for n, one in enumerate(advice.resources) if isfinite(one.target)]
    return ", ".join(f"{RESOURCES[n]} {quantity(n, asked_for(n, target))}" for n, target in sizes)
