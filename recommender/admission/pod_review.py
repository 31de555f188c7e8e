"""One pod, what is known, and policy: what to change, what to say. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from models.profile import RESOURCES
from recommender.admission import words
from recommender.admission.advice import Advice, SliceAdvice
from recommender.admission.applied import (
    APPLIED,
    RECOMMENDED,
    Applied,
    Recommended,
    applied_now,
    holds,
    merged,
    time_text,
)
from recommender.admission.facts import Facts, NamespaceFacts
from recommender.admission.mode import GPU_MODE_KEY, Mode, mode_of, pod_mode
from recommender.admission.patch import Op, patch_of
from recommender.admission.plan import Plan, edits_of, needs, size_plan, sizes_after, sizes_before, slice_plan
from recommender.admission.pod_sizes import Sized, size_pod, slots_of
from recommender.admission.settings import PodPolicy
from recommender.admission.sizing import Kept
from recommender.admission.slices import kept_gpu, whole_gpu
from recommender.admission.who import owners_of, workload_id
from recommender.admission.wire import Pod
from recommender.mig.dialects import WHOLE_GPU

Outcome = Literal["applied", "recommended", "unchanged", "off", "mirror-pod", "no-data"]
MIRROR = "kubernetes.io/config.mirror"
VPA_UPDATED = "vpaUpdates"
_TOLD = frozenset({Kept.QUOTA, Kept.SHRINK_ONLY, Kept.LIMIT_RANGE, Kept.LIMIT, Kept.QOS})
"""Reasons that whoever creates the pod can do something about."""


class Book(Protocol):
    """What is recommended: lookups of memory."""

    @property
    def cluster(self) -> str:
        """Cluster of the ids; empty: not known."""

    def advice(self, workload: str) -> Advice | None: ...

    def slice_of(self, workload: str) -> SliceAdvice | None: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a pod. changes: by container, in words; empty unless they were made."""

    outcome: Outcome
    patch: Sequence[Op] = ()
    warnings: Sequence[str] = ()
    ids: Sequence[str] = ()
    workloads: Sequence[str] = ()
    changes: Mapping[str, str] = field(default_factory=dict)


def review_pod(
    pod: Pod, namespace: str, mode: Mode, policy: PodPolicy, book: Book, facts: Facts, now_s: float
) -> Verdict:
    """`mode`: what the namespace has. Raises QuantityError for a quantity that is none."""
    annotations = pod.metadata.annotations or {}
    if MIRROR in annotations:
        return Verdict("mirror-pod")
    granted = pod_mode(mode, annotations, policy.pods_may_raise)
    if granted.mode is Mode.OFF:
        return Verdict("off", warnings=[words.note(granted.why)] if granted.why else ())
    return _Case(pod, namespace, granted.mode, policy, book, facts, now_s).verdict()


class _Case:
    """One pod that may be sized. Lives for one review."""

    def __init__(
        self, pod: Pod, namespace: str, mode: Mode, policy: PodPolicy, book: Book, facts: Facts, now_s: float
    ) -> None:
        self._pod, self._namespace, self._policy, self._book, self._facts = pod, namespace, policy, book, facts
        self._annotations = pod.metadata.annotations or {}
        self._now_s = now_s
        known = facts.namespace(namespace)
        self._rules = known or NamespaceFacts()
        self._mode = mode if known is not None else min(mode, Mode.RECOMMEND)
        self._done = applied_now(self._annotations, now_s) if mode is Mode.APPLY else None
        self._slots = slots_of(pod.spec)
        self._owners = list(owners_of(pod.metadata, namespace, facts))
        self._advice = self._advised()

    def verdict(self) -> Verdict:
        if not self._advice:
            return Verdict("no-data")
        sized = size_pod(self._slots, self._advice, self._policy, self._rules, self._all_kept(), self._settled())
        sizes = [plan for one in sized if (plan := size_plan(one)) is not None]
        slices, told = self._slices()
        modes = ((self._mode, sizes), (self._gpu_mode, slices))
        applied = [plan for mode, plans in modes if mode is Mode.APPLY for plan in plans]
        advised = [plan for mode, plans in modes if mode is not Mode.APPLY for plan in plans]
        warnings = [words.changed(p.container, p.steps, applied=True) for p in applied]
        warnings += [words.changed(p.container, p.steps, applied=False) for p in advised]
        warnings += [*self._left(sized), *told, *self._notes()]
        patch = patch_of(edits_of(applied), self._pod.metadata, self._notices(applied, advised))
        return self._told(applied, advised, patch, words.at_most(warnings))

    @property
    def _best_effort(self) -> bool:
        return not any(held.request or held.limit for slot in self._slots for held in slot.held)

    def _advised(self) -> Mapping[str, Advice]:
        """By container name: of the first owner under whose name anything of the pod is known."""
        cluster = self._book.cluster
        names = [slot.container.name for slot in self._slots if self._policy.init_containers or not slot.starts_first]
        for owner in self._owners if cluster else ():
            found = {name: self._book.advice(workload_id(cluster, self._namespace, owner, name)) for name in names}
            known = {name: advice for name, advice in found.items() if advice is not None}
            if known:
                return known
        return {}

    def _settled(self) -> frozenset[str]:
        """Containers that an earlier call of this admission has sized, and that nobody touched since."""
        if self._done is None:
            return frozenset()
        after = self._done.after
        names = (slot.container for slot in self._slots if slot.container.name in after)
        return frozenset(container.name for container in names if holds(container, after[container.name]))

    def _all_kept(self) -> Kept | None:
        if self._pod_level or self._best_effort:
            return Kept.NONE_ASKED
        if VPA_UPDATED in self._annotations:
            return Kept.VPA
        return Kept.VPA if any(self._facts.has_vpa(self._namespace, owner) for owner in self._owners) else None

    @property
    def _pod_level(self) -> bool:
        whole = self._pod.spec.resources
        return bool(whole and (whole.requests or whole.limits))

    @property
    def _gpu_mode(self) -> Mode:
        """GPUs need the pod's mode and a word of their own: of policy, or of the pod."""
        policy = mode_of(self._policy.gpu) or Mode.OFF
        asked = mode_of(self._annotations.get(GPU_MODE_KEY))
        own = policy if asked is None or policy is Mode.OFF else asked
        return min(own, self._mode)

    def _slices(self) -> tuple[list[Plan], list[str]]:
        """Plans for GPUs, and why there is none where advice was there."""
        plans: list[Plan] = []
        told: list[str] = []
        for slot in self._slots if self._gpu_mode is not Mode.OFF else ():
            advice = self._advice.get(slot.container.name)
            wanted = self._book.slice_of(advice.workload) if advice and whole_gpu(slot.container) else None
            if advice is None or wanted is None:
                continue
            why = kept_gpu(self._pod.spec, slot.container, wanted, self._rules)
            if why is None:
                plans.append(slice_plan(slot, advice, wanted))
            else:
                told.append(words.left(slot.container.name, f"{WHOLE_GPU} (MIG {wanted.profile} would do)", why))
        return plans, told

    def _left(self, sized: Sequence[Sized]) -> Iterator[str]:
        for one in sized:
            for name, fate in zip(RESOURCES, one.fate, strict=True):
                if isinstance(fate, Kept) and fate in _TOLD:
                    yield words.left(one.slot.container.name, name, fate)

    def _notes(self) -> Iterator[str]:
        if self._facts.namespace(self._namespace) is None:
            yield words.note(f"the rules of namespace {self._namespace[:40]} are not known yet: nothing is changed")
        if self._pod_level:
            yield words.note("this pod has pod-level resources: it stays as it is")
        elif self._best_effort:
            for name, advice in self._advice.items():
                if wanted := needs(advice):
                    yield words.note(f"{name[:32]} asks for nothing and stays BestEffort; it needs {wanted}")

    def _notices(self, applied: Sequence[Plan], advised: Sequence[Plan]) -> Mapping[str, str]:
        """The pod's new annotations; what an earlier call of this admission wrote is kept beside."""
        notices = {}
        if applied:
            before, after = sizes_before(applied), sizes_after(applied)
            done = self._done or Applied("", time_text(self._now_s), {}, {})
            earlier = [known for known in done.id.split(",") if known]
            ids = ",".join(dict.fromkeys((*earlier, *(plan.advice.id for plan in applied))))
            notices[APPLIED] = Applied(ids, done.at, merged(before, done.before), merged(done.after, after)).text()
        if advised:
            ids = ",".join(dict.fromkeys(plan.advice.id for plan in advised))
            notices[RECOMMENDED] = Recommended(ids, sizes_before(advised), sizes_after(advised)).text()
        return notices

    def _told(
        self, applied: Sequence[Plan], advised: Sequence[Plan], patch: Sequence[Op], said: Sequence[str]
    ) -> Verdict:
        outcome: Outcome = "applied" if applied else ("recommended" if advised else "unchanged")
        plans = [*applied, *advised]
        ids = list(dict.fromkeys(plan.advice.id for plan in plans))
        workloads = list(dict.fromkeys(plan.advice.workload for plan in applied))
        changes: dict[str, str] = {}
        for plan in applied:
            changes[plan.container] = ", ".join([*filter(None, [changes.get(plan.container)]), *plan.steps])
        return Verdict(outcome, patch, said, ids, workloads, changes)
