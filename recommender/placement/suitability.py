"""Which GPU model suits a job: what limits it, per dollar. Memory-bound jobs want bandwidth, compute-bound ones FLOP/s."""

from __future__ import annotations

from models.hardware.discovery import find_gpu
from models.hardware.gpus import GIGA, TERA, GpuModel
from recommender.placement.job import Job, NodeFacts

LEAST_FP64_FLOPS = 5 * TERA
"""V100 has 7.8, A30 10.3; T4, A10, L4 and L40S have under 1.5 and B300 and GB300 1.3: 30 times less than B200."""


def unsuited(job: Job, facts: NodeFacts) -> str:
    """Why this job must not go to this GPU model; empty when it may."""
    model = find_gpu(facts.gpu_model)
    if not job.fp64 or model is None:
        return ""
    if model.fp64_flops is None:
        return f"it computes in FP64, and the FP64 peak of {model.name} is not known"
    if model.fp64_flops < LEAST_FP64_FLOPS:
        return f"it computes in FP64, of which {model.name} has {model.fp64_flops / TERA:.3g} TFLOP/s"
    return ""


def suitability(job: Job, facts: NodeFacts) -> tuple[float | None, str]:
    """(worth, sentence): what the job needs most, per dollar and hour when the price is known; higher is better.

    None: nothing is known of this GPU. Worths of nodes with and without a price cannot be compared.
    """
    model = find_gpu(facts.gpu_model)
    amount, what = _wanted(job, model) if model else (None, "")
    if model is None or amount is None:
        return None, f"GPU model {facts.gpu_model or '(none)'!r} is not in the table"
    if facts.price_usd_per_hour is None or not facts.gpus:
        return amount, f"{_limit(job)}: {model.name} gives {amount:.4g} {what}; its price is not known"
    price = facts.price_usd_per_hour / facts.gpus
    return amount / price, f"{_limit(job)}: {model.name} gives {amount / price:.4g} {what} per $/h"


def _limit(job: Job) -> str:
    if job.fp64:
        return "computes in FP64"
    return "what limits it is not known" if job.bottleneck == "unknown" else f"{job.bottleneck}-bound"


def _wanted(job: Job, model: GpuModel) -> tuple[float | None, str]:
    if job.fp64:
        return None if model.fp64_flops is None else model.fp64_flops / TERA, "FP64 TFLOP/s"
    if job.bottleneck == "memory":
        return model.memory_bytes_per_s / GIGA, "GB/s of memory bandwidth"
    if job.bottleneck == "compute":
        return None if model.bf16_flops is None else model.bf16_flops / TERA, "bf16 TFLOP/s"
    return 1.0, "GPU"  # what is not limited by the GPU wants the cheapest one
