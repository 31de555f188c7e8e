"""POST /v1/pack: workloads and services on the fewest GPUs by MIG, the layout of each, and how to get there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.hardware.geometry import Slot
from recommender.api.pack_body import PackRequest
from recommender.api.pack_nodes import pack_nodes
from recommender.api.pack_seen import SizedWorkload, sized
from recommender.api.pack_wish import Wishes, given_gpus, given_kinds, room_key, wishes
from recommender.api.render import Body
from recommender.api.slices import SliceAdvisor
from recommender.mig.defrag import Fragmentation, advise, fragmentation
from recommender.mig.demand import GpuKind, Packing, Size
from recommender.mig.match import GpuState
from recommender.mig.moves import Moves
from recommender.mig.pack import PackSettings, pack
from recommender.mig.plan import MigPlan, plan
from recommender.mig.present import Present, Staying, present, staying
from recommender.view import Snapshot
from recommender.view_query import QueryError


def needs_inventory(asked: PackRequest) -> bool:
    """Whether it is about GPUs as they are, with all that stands on them, rather than about some that it describes."""
    return asked.kinds is None and asked.gpus is None


def pack_answer(snapshot: Snapshot, asked: PackRequest, advisor: SliceAdvisor) -> Body:
    """The body of a PackAnswer. Raises QueryError for a wish that contradicts itself or names what does not exist."""
    if asked.kinds is not None:
        if asked.gpus is not None:
            raise QueryError("kinds", [k.model for k in asked.kinds], "give `gpus` or `kinds`, not both")
        return _on_paper(given_kinds(asked.kinds), asked, sized(snapshot, asked, snapshot.nodes, advisor))
    on = pack_nodes(snapshot, asked)
    by_profile = sized(snapshot, asked, on.nodes, advisor)
    movable = {one.name for one in by_profile if one.keys}
    found = given_gpus(asked.gpus) if asked.gpus is not None else present(on.nodes.values(), movable)
    wanted = wishes(asked, found.kinds, by_profile)
    stay = staying(found.gpus if asked.others == "stay" else (), {demand.name for demand in wanted.demands})
    now = stay.gpus if asked.others == "stay" else tuple(found.gpus)
    answer = plan([*wanted.demands, *stay.demands], now, found.kinds, PackSettings(asked.time_limit_s))
    drawn = _Drawn(found, stay, wanted, {kind.name: kind for kind in found.kinds})
    return drawn.packing(answer.packing) | {
        "layout": list(drawn.layout(answer)),
        "moves": drawn.moves(answer.moves),
        "defrag": [drawn.defrag(size, now) for size in asked.make_room_for],
        "sized": _told(by_profile),
        "left_out": [{"gpu": left.gpu, "node": left.node, "reason": left.reason} for left in (*found.left, *on.barred)],
        "notes": list(on.notes),
    }


def _told(by_profile: Sequence[SizedWorkload]) -> list[Body]:
    return [
        {"name": one.name, "replicas": one.replicas, "mig_profiles": list(one.profiles), "reason": one.reason}
        for one in by_profile
    ]


def _on_paper(kinds: Sequence[GpuKind], asked: PackRequest, by_profile: Sequence[SizedWorkload]) -> Body:
    """A plan for GPUs that need not exist: they are numbered, and nobody moves."""
    if asked.make_room_for:
        raise QueryError("make_room_for", asked.make_room_for, "moves are of GPUs that exist: leave `kinds` out")
    wanted = wishes(asked, kinds, by_profile)
    packing = pack(wanted.demands, kinds, PackSettings(asked.time_limit_s))
    by_name = {kind.name: kind for kind in kinds}
    states = [GpuState(str(n + 1), gpu.kind, gpu.instances) for n, gpu in enumerate(packing.gpus)]
    left = tuple(fragmentation(state, by_name[state.kind]) for state in states)
    drawn = _Drawn(Present(kinds=list(kinds)), Staying((), (), {}), wanted, by_name)
    return drawn.packing(packing) | {
        "layout": list(drawn.layout(MigPlan(packing, tuple(states), Moves(()), left))),
        "moves": {"steps": [], "blocked": [], "reason": ""},
        "defrag": [],
        "sized": _told(by_profile),
        "left_out": [],
        "notes": [],
    }


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The answer to one question in plain values."""

    found: Present
    stay: Staying
    wanted: Wishes
    kinds: Mapping[str, GpuKind]

    def packing(self, packing: Packing) -> Body:
        return {
            "gpus_used": len(packing.gpus),
            "cost": packing.cost,
            "bound": packing.bound,
            "proven": packing.proven,
            "method": packing.method,
            "reasons": list(packing.reasons),
            "unplaced": [self._unplaced(name, amount) for name, amount in packing.unplaced.items()],
        }

    def layout(self, answer: MigPlan) -> Iterator[Body]:
        left = {found.gpu: found for found in answer.fragmentation}
        yield from (self._gpu(gpu, left[gpu.uuid]) for gpu in answer.layout if gpu.instances)

    def moves(self, moves: Moves) -> Body:
        kind_of = {gpu.uuid: gpu.kind for gpu in self.found.gpus}
        steps = [
            {
                "action": step.action,
                "gpu": step.gpu,
                **self._slot(step.slot, kind_of[step.gpu]),
                "tenant": self._tenant(step.tenant),
                "parked": step.parked,
            }
            for step in moves.steps
        ]
        return {"steps": steps, "blocked": list(moves.blocked), "reason": moves.reason}

    def defrag(self, size: str, now: Sequence[GpuState]) -> Body:
        key, kinds = room_key(size, self.found.kinds)
        kind_of = {gpu.uuid: gpu.kind for gpu in now if gpu.kind in kinds}
        advice = advise(key, [gpu for gpu in now if gpu.uuid in kind_of], self.found.kinds)
        moves = [
            {
                "tenant": self._tenant(move.tenant),
                "source_gpu": move.gpu,
                "source": self._slot(move.source, kind_of[move.gpu]),
                "gpu": move.to_gpu,
                "slot": self._slot(move.to, kind_of[move.to_gpu]),
            }
            for move in (advice.moves if advice else ())
        ]
        return {
            "mig_profile": size,
            "possible": advice is not None,
            "gpu": advice.gpu if advice else None,
            "slot": self._slot(advice.slot, kind_of[advice.gpu]) if advice else None,
            "moves": moves,
            "moved_memory_slices": advice.moved_memory_slices if advice else 0,
        }

    def _gpu(self, gpu: GpuState, left: Fragmentation) -> Body:
        mig = self.kinds[gpu.kind].mig
        return {
            "gpu": gpu.uuid,
            "node": self.found.node_of.get(gpu.uuid),
            "model": gpu.kind,
            "mig_to_turn_on": gpu.uuid in self.found.mig_off and not self._whole(gpu),
            "instances": [self._instance(i.slot, gpu, i.tenant) for i in sorted(gpu.instances) if i.tenant],
            "fits": [mig.profile(key).name for key in left.fits],
            "blocked": [mig.profile(key).name for key in left.blocked],
            "stranded_ratio": round(left.stranded_ratio, 4),
        }

    def _whole(self, gpu: GpuState) -> bool:
        """Whether one tenant has all of it, and MIG is off: then it stays off."""
        whole = self.kinds[gpu.kind].mig.whole.key
        return gpu.uuid in self.found.mig_off and [i.slot.key for i in gpu.instances if i.tenant] == [whole]

    def _instance(self, slot: Slot, gpu: GpuState, tenant: str) -> Body:
        point = self.wanted.points.get((tenant, Size(gpu.kind, slot.key)))
        return {
            **self._slot(slot, gpu.kind),
            "tenant": self._tenant(tenant),
            "whole": self._whole(gpu),
            "batch": point.batch if point else None,
            "processes": point.processes if point else None,
        }

    def _slot(self, slot: Slot, kind: str) -> Body:
        return {"mig_profile": self.kinds[kind].mig.profile(slot.key).name, "start": slot.start}

    def _tenant(self, name: str) -> str:
        return self.stay.shown.get(name, name)

    def _unplaced(self, name: str, amount: float) -> Body:
        why = self.wanted.why.get(name) or "the GPUs have no room left for it, or none of its sizes exists on them"
        return {"name": self._tenant(name), "amount": round(amount, 6), "reason": why}
