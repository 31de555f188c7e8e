"""POST /v1/recommend: sizes, MIG slice and placement of a job, from one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite

from models.profile import RESOURCES
from models.workload import WorkloadName
from recommender.api.decide_body import JobRequest
from recommender.api.decide_evidence import Evidence, no_evidence, own_evidence, workload_of
from recommender.api.decide_gpu import GpuAsked, gpu_choice, taking
from recommender.api.decide_kin import kin_evidence
from recommender.api.decide_sizes import size
from recommender.api.place import check_wish, place_seen
from recommender.api.place_body import PlaceRequest
from recommender.api.render import Body
from recommender.api.slices import SliceAdvisor
from recommender.decision import Decision, GpuChoice, GpuOption, Size
from recommender.kin.index import KinIndex
from recommender.mig.eligible import Because
from recommender.placement.rank import RankPolicy
from recommender.supply import Supply
from recommender.view import Row, Snapshot
from recommender.view_query import QueryError

_COST = "cost"
_CHEAPER = 2.0
"""Weight of cost for a job of low priority, over the usual."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a decision stands on, as far as the asker may see it. kin: the index of kin, made when a job needs it."""

    snapshot: Snapshot
    supply: Supply
    kin: Callable[[], KinIndex]


class Decider:
    """Decides on jobs, with one policy."""

    def __init__(self, slices: SliceAdvisor) -> None:
        self.slices = slices

    def decide_all(self, ground: Ground, jobs: Sequence[JobRequest]) -> list[Decision]:
        """One after another, each as if it were alone: nothing is reserved. Raises QueryError that says which job."""
        found = []
        for number, job in enumerate(jobs):
            try:
                found.append(self.decide(ground, job))
            except QueryError as error:
                raise QueryError(f"[{number}].{error.field}", error.value, error.mend) from error
        return found

    def decide(self, ground: Ground, job: JobRequest) -> Decision:
        """Raises QueryError for wishes that contradict each other."""
        _check(job)
        evidence = _evidence(ground, job)
        cpu = size(job.cpu_cores or None, job.cpu_limit_cores, evidence.known[0])
        memory = size(job.memory_bytes or None, job.memory_limit_bytes, evidence.known[1])
        asked = GpuAsked(_asked(job), tuple(job.gpu_models), job.priority != "high")
        gpu = gpu_choice(asked, evidence.gpu, evidence.held, self.slices.model, self.slices.policy)
        wish = _wish(job, evidence, cpu, memory)
        gpu, placement = _placed(ground, wish, gpu, evidence)
        if placement is not None:
            placement["spot"] |= _late(job, wish, placement["spot"])
        return Decision(
            evidence.workload,
            evidence.id,
            evidence.source,
            evidence.confidence,
            cpu,
            memory,
            gpu,
            job.members,
            placement,
            evidence.kin,
            (*evidence.because, *_because(job, wish)),
            dict(_missing(evidence, gpu, placement)),
        )

    def standing(self, snapshot: Snapshot, row: Row) -> Decision:
        """Of a workload as it runs now: what its nodes say that it holds is what it asks for, and nothing is placed."""
        evidence = own_evidence(snapshot, row.id) or no_evidence(row.id)
        now = [(_known(row["request_now"][r]), _known(row["limit_now"][r])) for r in range(len(RESOURCES))]
        cpu, memory = (size(*held, known) for held, known in zip(now, evidence.known, strict=True))
        seen, held = evidence.gpu, evidence.held
        option = GpuOption(held.mig_profile if held else "", seen.gpus if seen else 0)
        asked = GpuAsked(option, (seen.model,) if seen and seen.model else ())
        gpu = gpu_choice(asked, seen, held, self.slices.model, self.slices.policy)
        return Decision(
            row.id,
            evidence.id,
            evidence.source,
            evidence.confidence,
            cpu,
            memory,
            gpu,
            because=evidence.because,
            missing={"placement": "it runs already"},
        )


def _known(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _evidence(ground: Ground, job: JobRequest) -> Evidence:
    workload = workload_of(job, ground.snapshot.only_cluster)
    own = own_evidence(ground.snapshot, workload)
    return own or kin_evidence(ground.kin(), workload, job) or no_evidence(workload)


def _asked(job: JobRequest) -> GpuOption:
    return GpuOption(job.mig_profile or "", job.gpus, job.gpu_share_ratio)


def _wish(job: JobRequest, evidence: Evidence, cpu: Size, memory: Size) -> PlaceRequest:
    """What is placed, but for its GPUs. It was validated as a part of the job."""
    return PlaceRequest.model_construct(
        cpu_cores=cpu.request or 0,
        memory_bytes=ceil(memory.request or 0),
        gpu_models=job.gpu_models,
        labels=job.node_labels,
        tolerations=job.tolerations,
        members=job.members,
        cluster=job.cluster or _cluster(job, evidence),
        nodes=job.nodes,
        bottleneck=evidence.bottleneck,
        run_time_s=job.run_time_s or evidence.run_time_s,
        spot=None if job.priority == "high" else job.spot,
        weights=_weights(job),
        limit=job.limit,
    )


def _with(wish: PlaceRequest, option: GpuOption) -> PlaceRequest:
    update = {"gpus": option.count, "gpu_share_ratio": option.share_ratio, "mig_profile": option.mig_profile or None}
    return wish.model_copy(update=update)


def _cluster(job: JobRequest, evidence: Evidence) -> str | None:
    """The workload's own, where the candidates do not name theirs."""
    if any("/" in name for name in job.nodes or ()):
        return None
    try:
        return WorkloadName.parse(evidence.workload).cluster or None
    except ValueError:
        return None


def _weights(job: JobRequest) -> Mapping[str, float] | None:
    if job.weights is not None or job.priority != "low":
        return job.weights
    usual = RankPolicy().weights
    return {**usual, _COST: _CHEAPER * usual[_COST]}


def _placed(
    ground: Ground, wish: PlaceRequest, gpu: GpuChoice | None, evidence: Evidence
) -> tuple[GpuChoice | None, Body | None]:
    """The first option for which a node has room, and its placement; where none has, the first, and why it has none."""
    if gpu is None:
        asks = bool(wish.cpu_cores or wish.memory_bytes)
        return None, place_seen(ground.snapshot, ground.supply, wish, evidence.gpu) if asks else None
    for option in (gpu.take, *gpu.alternatives):
        if _anywhere(ground.supply, option):
            body = place_seen(ground.snapshot, ground.supply, _with(wish, option), evidence.gpu)
            if body["eligible_nodes"]:
                return taking(gpu, option), body
    return gpu, place_seen(ground.snapshot, ground.supply, _with(wish, gpu.take), evidence.gpu)


def _anywhere(supply: Supply, option: GpuOption) -> bool:
    """Whether any node has such slices free: to rank 1,500 nodes for nothing takes milliseconds."""
    free = supply.cluster.mig_free.get(option.mig_profile)
    return not option.mig_profile or (free is not None and bool((free >= option.count).any()))


def _late(job: JobRequest, wish: PlaceRequest, spot: Body) -> Body:
    """What becomes of spot advice where interruptions would take the job past its deadline."""
    if job.deadline_s is None or wish.run_time_s is None or spot["stretch_ratio"] is None:
        return {}
    ends_s = wish.run_time_s * spot["stretch_ratio"]
    if ends_s <= job.deadline_s:
        return {}
    said = (
        f"on spot it is expected to take {ends_s:.0f} s with interruptions, over its deadline of {job.deadline_s:.0f} s"
    )
    return {"advised": False, "sentence": said}


def _because(job: JobRequest, wish: PlaceRequest) -> Iterator[Because]:
    if job.priority == "high" and job.spot is not None:
        yield Because("priority", "its priority is high: no spot node is taken")
    if job.deadline_s is not None and wish.run_time_s is not None and wish.run_time_s > job.deadline_s:
        said = f"it runs {wish.run_time_s:.0f} s and its deadline is in {job.deadline_s:.0f} s: it cannot be met"
        yield Because("deadline", said)


def _check(job: JobRequest) -> None:
    """Raises QueryError for wishes that contradict each other."""
    for name, limit_name in (("cpu_cores", "cpu_limit_cores"), ("memory_bytes", "memory_limit_bytes")):
        asked, limit = getattr(job, name), getattr(job, limit_name)
        if asked is not None and limit is not None and limit < asked:
            raise QueryError(limit_name, limit, f"a limit is at least its request: {name} is {asked}")
    check_wish(_with(PlaceRequest.model_construct(weights=job.weights), _asked(job)))


def _missing(evidence: Evidence, gpu: GpuChoice | None, placement: Body | None) -> Iterator[tuple[str, str]]:
    if not evidence.workload:
        yield "workload", "its id was not said: give `workload`, or `kind` and `name`"
    if not evidence.id:
        yield "id", "it has no recommendation of its own yet"
    if evidence.confidence is None:
        yield "confidence_ratio", "nothing is known of its use"
    if gpu is None:
        yield "gpu", "no GPU is asked for"
    if placement is None:
        yield "placement", "nothing is asked for and nothing is known, so there is nothing to place"
