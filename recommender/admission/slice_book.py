"""MIG slices for workloads with a GPU, from their profiles and from what the nodes hold.

One thread writes, the reviews read. Advice is worked out when a pod first asks for it, in 0.7 ms, and kept until its
workload's profile or the nodes are told anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from models.columns import Columns
from models.inventory import Node
from models.profile import GPU_FIELDS
from models.speed.artifact import SpeedModel
from recommender.admission.advice import SliceAdvice
from recommender.gpu_seen import GpuHeld, GpuSeen, advise_slice, gpu_seen
from recommender.mig.choose import SlicePolicy
from recommender.mig.dialects import kubernetes_resource

GPU_COLUMNS = frozenset(field.name for field in GPU_FIELDS)
_HOUR_MS = 3_600_000
Labels = Mapping[str, str]
SlabKey = tuple[int, str]


class SliceBook:
    """min_hours: GPU time under which a workload is not known well enough."""

    def __init__(self, model: SpeedModel, policy: SlicePolicy, min_hours: float) -> None:
        self._model, self._policy, self._least_ms = model, policy, min_hours * _HOUR_MS
        self._seen: dict[str, tuple[SlabKey, GpuSeen]] = {}
        self._slabs: dict[SlabKey, Sequence[str]] = {}
        self._nodes: dict[str, Node] = {}
        self._held: Mapping[str, GpuHeld] = {}
        self._free: Mapping[str, tuple[Labels, ...]] = {}
        self._advice: dict[str, SliceAdvice | None] = {}

    def slice_of(self, workload: str) -> SliceAdvice | None:
        """None: it has no GPU, no slice is sure to be enough, or nobody knows."""
        seen = self._seen.get(workload)
        if seen is None:
            return None
        advice = self._advice
        if workload not in advice:
            advice[workload] = self._advise(workload, seen[1])
        return advice[workload]

    def put_profiles(self, key: SlabKey, profiles: Columns) -> None:
        """The GPU columns of one slab. Most have no GPU, and cost a look at one column."""
        found = {}
        for row in profiles["gpu_covered_ms"].nonzero()[0].tolist():
            one = Columns(
                profiles.table, [profiles.workloads[row]], {n: a[row : row + 1] for n, a in profiles.arrays.items()}
            )
            seen = gpu_seen(one) if int(one["gpu_covered_ms"][0]) >= self._least_ms else None
            if seen is not None:
                found[profiles.workloads[row]] = key, seen
        self._forget(key, found)
        self._seen.update(found)
        self._slabs[key] = list(found)
        self._advice = {}

    def drop_profiles(self, key: SlabKey) -> None:
        """All workloads of this slab were forgotten."""
        self._forget(key, ())
        self._slabs.pop(key, None)
        self._advice = {}

    def put_node(self, key: str, node: Node | None) -> None:
        """None: it is gone. Call `settle` after the last of a batch."""
        if node is None:
            self._nodes.pop(key, None)
        else:
            self._nodes[key] = node

    def settle(self) -> None:
        """Take up the nodes that were told: who holds which GPU, and which slices nobody holds."""
        held: dict[str, GpuHeld] = {}
        for node in self._nodes.values():
            for workload, gpu in _held_on(node):
                held.setdefault(workload, gpu)
        self._held = held
        free: dict[str, list[Labels]] = {}
        for node in self._nodes.values():
            for resource in _free_slices(node):
                free.setdefault(resource, []).append(node.labels)
        self._free = {resource: tuple(labels) for resource, labels in free.items()}
        self._advice = {}

    def _forget(self, key: SlabKey, still: Collection[str]) -> None:
        """Those of a slab that are not in it any more, nor have moved to another."""
        for workload in self._slabs.get(key, ()):
            if workload not in still and self._seen.get(workload, (None,))[0] == key:
                del self._seen[workload]

    def _advise(self, workload: str, seen: GpuSeen) -> SliceAdvice | None:
        """Only what is sure: an answer near the line, which a probe has to confirm, is for people to decide."""
        found, _ = advise_slice(seen, self._held.get(workload), self._model, self._policy)
        if found.action != "slice" or found.profile is None or not found.safe:
            return None
        resource = next(iter(kubernetes_resource(found.profile.name)))
        speed = found.speeds.get(found.profile.key, 0.0)
        return SliceAdvice(resource, found.profile.name, speed, self._free.get(resource, ()))


def _held_on(node: Node) -> Iterator[tuple[str, GpuHeld]]:
    """Every workload with each GPU or MIG instance that it holds there."""
    holders: dict[str, list[str]] = {}
    for allocation in node.allocations:
        for uuid in allocation.gpu_uuids:
            holders.setdefault(uuid, []).append(allocation.workload)
    for gpu in node.gpus:
        for uuid, profile in ((gpu.uuid, ""), *((instance.uuid, instance.profile) for instance in gpu.mig)):
            owners = set(holders.get(uuid, ()))
            yield from ((owner, GpuHeld(gpu, profile, len(owners) > 1)) for owner in owners)


def _free_slices(node: Node) -> set[str]:
    """Resources of its MIG instances that no workload holds."""
    held = {uuid for allocation in node.allocations for uuid in allocation.gpu_uuids}
    free = [instance for gpu in node.gpus for instance in gpu.mig if instance.uuid not in held]
    return {next(iter(kubernetes_resource(instance.profile))) for instance in free}
