"""Lines for a Slurm batch script. Slurm counts memory in MiB and CPUs whole; both are rounded up."""

from __future__ import annotations

import math
from collections.abc import Iterator

from recommender.decision import Decision, GpuChoice
from recommender.mig.dialects import slurm_gres
from recommender.render.errors import NotRenderableError

_MIB = 1 << 20


def sbatch_lines(decision: Decision) -> str:
    """The `#SBATCH` lines, with what they rest on above. Raises NotRenderableError when there is nothing to set."""
    lines = list(_alone(decision) if decision.members == 1 else _gang(decision))
    if not lines:
        raise NotRenderableError("nothing is known and nothing is asked for, so there is nothing to set")
    return "".join(f"{line}\n" for line in (*_comments(decision), *(f"#SBATCH {line}" for line in lines)))


def _alone(decision: Decision) -> Iterator[str]:
    if (cpus := _cpus(decision)) is not None:
        yield f"--cpus-per-task={cpus}"
    if (memory := decision.memory.limit or decision.memory.request) is not None:
        yield f"--mem={math.ceil(memory / _MIB)}M"
    if decision.gpu is not None:
        yield f"--gres={_gres(decision.gpu)}"


def _gang(decision: Decision) -> Iterator[str]:
    """Per task, as members may share a node: --mem and --gres count per node."""
    yield f"--ntasks={decision.members}"
    cpus = _cpus(decision)
    if cpus is not None:
        yield f"--cpus-per-task={cpus}"
    if (memory := decision.memory.limit or decision.memory.request) is not None:
        yield f"--mem-per-cpu={math.ceil(memory / _MIB / (cpus or 1))}M"
    if decision.gpu is not None:
        yield f"--gpus-per-task={_gres(decision.gpu).removeprefix('gpu:')}"


def _gres(gpu: GpuChoice) -> str:
    """A share of a GPU is asked for as the GPU."""
    return slurm_gres(gpu.take.mig_profile, gpu.take.count, gpu.model)


def _cpus(decision: Decision) -> int | None:
    return None if decision.cpu.request is None else max(math.ceil(decision.cpu.request), 1)


def _comments(decision: Decision) -> Iterator[str]:
    told = {"own-history": "its own history", "kin": "jobs like it", "request": "what was asked for alone"}
    sure = "" if decision.confidence is None else f", confidence {decision.confidence:.0%}"
    yield f"# sizewise: {decision.id or 'no recommendation yet'}, from {told[decision.source]}{sure}"
    for resource, size in (("CPU", decision.cpu), ("memory", decision.memory)):
        if size.action in ("raise", "lower"):
            yield f"# {resource} {size.action}: {'; '.join(because.sentence for because in size.because)}"
