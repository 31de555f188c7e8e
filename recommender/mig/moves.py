"""From the layout of today to the planned one, in an order that never breaks a running instance.

Create before delete: a tenant's old instances go only when all of its new ones stand; where any of them does for any
other, one goes for each new one. A new instance is created only
where the layout of that moment allows it. When every change waits for another, one tenant is parked on a free slot
of equal size; when there is none, the changes that are left are handed back with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from models.hardware.geometry import Slot, best_start, conflict
from recommender.mig.demand import GpuKind, Instance
from recommender.mig.match import GpuState


@dataclass(frozen=True, slots=True)
class Step:
    """create: make the slot and start the tenant on it. delete: stop the tenant there and destroy the slot.

    `parked`: the instance is on its way and will move once more.
    """

    action: Literal["create", "delete"]
    gpu: str
    slot: Slot
    tenant: str
    parked: bool = False


@dataclass(frozen=True, slots=True)
class Moves:
    """steps in order. blocked: GPUs whose plan could not be reached without stopping a tenant; reason says why."""

    steps: tuple[Step, ...]
    blocked: tuple[str, ...] = ()
    reason: str = ""


def plan_moves(
    now: Sequence[GpuState], target: Sequence[GpuState], kinds: Sequence[GpuKind], alike: Collection[str] = ()
) -> Moves:
    """Steps from `now` to `target` (the same GPUs in the same order). Free slots (no tenant) may be deleted first.

    alike: tenants of which each instance does for any other, whatever its size: replicas of a workload.
    """
    work = _Work.begin(now, target, kinds, alike)
    while work.advance() or work.park():
        pass
    blocked = tuple(uuid for uuid in work.live if work.live[uuid] != work.goal[uuid])
    reason = "no free slot to move a tenant to: free one GPU, or stop a tenant for the move" if blocked else ""
    return Moves(tuple(work.steps), blocked, reason)


@dataclass(slots=True)
class _Work:
    kinds: dict[str, GpuKind]
    live: dict[str, set[Instance]]
    goal: dict[str, set[Instance]]
    least: dict[str, int]
    """Instances that each tenant of `alike` keeps at any time: as many as now, or as it shall have if that is fewer."""
    steps: list[Step] = field(default_factory=list)
    once_parked: set[tuple[str, Instance]] = field(default_factory=set)

    @classmethod
    def begin(
        cls, now: Sequence[GpuState], target: Sequence[GpuState], kinds: Sequence[GpuKind], alike: Collection[str]
    ) -> _Work:
        by_name = {kind.name: kind for kind in kinds}
        have, shall = _tenants(gpu.instances for gpu in now), _tenants(gpu.instances for gpu in target)
        return cls(
            {gpu.uuid: by_name[gpu.kind] for gpu in now},
            {gpu.uuid: set(gpu.instances) for gpu in now},
            {gpu.uuid: {i for i in gpu.instances if i.tenant} for gpu in target},
            {tenant: min(have[tenant], shall[tenant]) for tenant in alike},
        )

    def advance(self) -> bool:
        """One round of all creates and deletes that are possible now. False: nothing was."""
        before = len(self.steps)
        for uuid, instance in self.missing():
            if conflict(self.kinds[uuid].mig, [i.slot for i in (*self.live[uuid], instance)]) is None:
                self._step("create", uuid, instance)
        waiting = {instance.tenant for _, instance in self.missing()}
        standing = _tenants(self.live.values())
        for uuid, instance in self.surplus():
            tenant = instance.tenant
            if not tenant or tenant not in waiting or standing[tenant] > self.least.get(tenant, standing[tenant]):
                standing[tenant] -= 1
                self._step("delete", uuid, instance)
        return len(self.steps) > before

    def park(self) -> bool:
        """Move one tenant, that stands in the way, to a free slot of equal size. False: there is none."""
        for uuid, instance in self.surplus():
            if (uuid, instance) in self.once_parked or not self.goal[uuid] - self.live[uuid]:
                continue
            for other in sorted(self.live, key=lambda name: name == uuid):
                start = self._free_start(other, uuid, instance)
                if start is not None:
                    parked = Instance(Slot(start, instance.slot.key), instance.tenant)
                    self.once_parked |= {(uuid, instance), (other, parked)}
                    self._step("create", other, parked, parked=True)
                    self._step("delete", uuid, instance)
                    return True
        return False

    def missing(self) -> list[tuple[str, Instance]]:
        return [(uuid, i) for uuid in self.goal for i in sorted(self.goal[uuid] - self.live[uuid])]

    def surplus(self) -> list[tuple[str, Instance]]:
        return [(uuid, i) for uuid in self.live for i in sorted(self.live[uuid] - self.goal[uuid])]

    def _free_start(self, other: str, uuid: str, instance: Instance) -> int | None:
        """A start on `other` for an equal slot. On its own GPU it may not take a place that the plan needs."""
        if self.kinds[other] is not self.kinds[uuid]:
            return None
        standing = [i.slot for i in self.live[other]]
        planned = [i.slot for i in self.goal[other] - self.live[other]]
        mig, key = self.kinds[other].mig, instance.slot.key
        clear = best_start(mig, [*standing, *planned], key) if conflict(mig, [*standing, *planned]) is None else None
        if clear is not None or other == uuid:
            return clear
        return best_start(mig, standing, key)

    def _step(self, action: Literal["create", "delete"], uuid: str, instance: Instance, parked: bool = False) -> None:
        if action == "create":
            self.live[uuid].add(instance)
        else:
            self.live[uuid].discard(instance)
        self.steps.append(Step(action, uuid, instance.slot, instance.tenant, parked))


def _tenants(gpus: Iterable[Iterable[Instance]]) -> Counter[str]:
    """Instances of each tenant."""
    return Counter(instance.tenant for instances in gpus for instance in instances)
