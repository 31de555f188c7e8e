"""What is known of a job before it is decided on: its own history, that of its kin, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from models.profile import RESOURCES
from models.workload import WorkloadName
from recommender.api.decide_body import JobRequest
from recommender.api.decide_sizes import Known, known_by_row
from recommender.api.place_body import BottleneckWord
from recommender.decision import Source
from recommender.gpu_seen import GpuHeld, GpuSeen, gpu_seen, gpus_held
from recommender.mig.eligible import Because
from recommender.recommendation_id import recommendation_id
from recommender.view import Row, Snapshot
from recommender.view_follow import profile_of


@dataclass(frozen=True, slots=True)
class Evidence:
    """known: CPU and memory. gpu: its GPU side, None: no GPU telemetry of it. held: a GPU that it holds now. run_time_s,
    bottleneck: as kin tell; kin: their ids, most alike first."""

    workload: str
    source: Source
    known: tuple[Known, ...]
    id: str = ""
    confidence: float | None = None
    gpu: GpuSeen | None = None
    held: GpuHeld | None = None
    run_time_s: float | None = None
    bottleneck: BottleneckWord | None = None
    kin: tuple[str, ...] = ()
    because: tuple[Because, ...] = ()


def workload_of(job: JobRequest, only_cluster: str) -> str:
    """The id that the job names, or that its parts make; empty where they do not. only_cluster: its cluster, if it says none."""
    if job.workload is not None:
        return job.workload
    if not (job.kind and job.name):
        return ""
    return str(WorkloadName(job.cluster or only_cluster, job.namespace, job.kind, job.name, job.container))


def own_evidence(snapshot: Snapshot, workload: str) -> Evidence | None:
    """Of the workload's own history; None when nothing was recommended for it yet. Unpacking its profile takes 1-2 ms."""
    row = snapshot.get(workload) if workload else None
    if row is None or not int(row["computed_ms"]):
        return None
    known = tuple(known_by_row(row, resource) for resource in range(len(RESOURCES)))
    seen = _gpu(row)
    if seen is None and all(part.unknown for part in known):
        return None
    return Evidence(
        workload,
        "own-history",
        known,
        recommendation_id(row.id, int(row["computed_ms"])),
        float(row["confidence"]),
        seen,
        next(gpus_held(row.id, snapshot.gpu_nodes.get(row.id, {})), None) if seen else None,
    )


def no_evidence(workload: str) -> Evidence:
    """Nothing is known: what is asked for is the answer."""
    said = "nothing was seen of it, nor of anything like it: what is asked for stays as it is"
    return Evidence(workload, "request", (Known(), Known()), because=(Because("no-history", said),))


def _gpu(row: Row) -> GpuSeen | None:
    profile = profile_of(row) if int(row["gpu_last_seen_ms"]) else None
    return gpu_seen(profile) if profile else None
