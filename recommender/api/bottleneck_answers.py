"""What the API says of what limits a workload."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from models.bottleneck import EVIDENCE, Bottleneck
from models.cpu_bottleneck import CPU_EVIDENCE

_LABELS = tuple(dict.fromkeys(bottleneck.label for bottleneck in Bottleneck))
_IO_KINDS = ("none", *(bottleneck.io_kind for bottleneck in Bottleneck if bottleneck.io_kind))
Missing = Annotated[dict[str, str], Field(description="why each field of this object that is null is null, by field")]


class BottleneckAnswer(BaseModel):
    """What limits it. `insufficient`: a signal that would decide is missing, and `sentence` names it."""

    label: Literal[_LABELS] = Field(alias="class", examples=["io"])  # type: ignore[valid-type]  # from the enum
    io_kind: Literal[_IO_KINDS] = Field(description="which I/O; `none` for other classes", examples=["none"])  # type: ignore[valid-type]
    sentence: str = Field(examples=["the device waits for copies from or to the host"])
    confidence_ratio: float | None = Field(description="how sure this is; 0 to 1", examples=[0.94])
    missing: Missing


class ClassShare(BaseModel):
    """Part of the time that had one class."""

    label: Literal[_LABELS] = Field(alias="class", examples=["io"])  # type: ignore[valid-type]  # from the enum
    io_kind: Literal[_IO_KINDS] = Field(description="which I/O; `none` for other classes", examples=["none"])  # type: ignore[valid-type]
    time_ratio: float = Field(description="share of GPU time, half-life 24 h", examples=[0.61])


class EvidenceAnswer(BaseModel):
    """One number that was compared; 1 is its ceiling."""

    name: Literal[tuple(evidence.name for evidence in (*EVIDENCE, *CPU_EVIDENCE))] = Field(examples=["memory_ratio"])  # type: ignore[valid-type]
    value: float | None = Field(description="of decayed means; null when no source gave the signal", examples=[0.55])
    help: str
    missing: Missing


class CpuSideAnswer(BaseModel):
    """What limits its CPU side, of decayed means; pressures and throttling are shares of time themselves."""

    bottleneck: BottleneckAnswer
    evidence: list[EvidenceAnswer] = Field(
        description="each over its line: what reaches 1 limits, and the highest decides"
    )


class GpuAnswer(BaseModel):
    """The GPU side of a workload; values are per GPU. Its class is by windows of a minute, and the evidence of their means."""

    model: str | None = Field(
        description="name in the hardware catalogue; null when that lacks it", examples=["H100-SXM-80"]
    )
    gpus: int = Field(description="GPUs that one instance used lately", examples=[4])
    mig_slice: bool = Field(
        description="whether it is a MIG slice: then power and PCIe are the board's and are left out"
    )
    last_seen: datetime
    covered_hours: float = Field(description="GPU hours described by telemetry", examples=[96.5])
    bottleneck: BottleneckAnswer = Field(description="the class with most of the time that has one")
    time: list[ClassShare] = Field(description="largest first; adds up to 1")
    evidence: list[EvidenceAnswer]
    counters_ratio: float = Field(description="share of time judged by profiling counters", examples=[0.0])
    learned_ratio: float = Field(description="share of time judged by a model that the fleet taught", examples=[0.0])
    intensity_flop_per_byte: tuple[float, float] | None = Field(
        description="arithmetic intensity that the means may stand for: TF32 to FP8 on the tensor pipe, one or two operations an "
        "instruction on the others; null without counters",
        examples=[[120.5, 480.0]],
    )
    ridge_flop_per_byte: float | None = Field(
        description="ridge point of its busiest pipe on this model, dense BF16 on the tensor pipe; BF16 where no pipe is known",
        examples=[295.2],
    )
    missing: Missing


class GpuSignalAnswer(BaseModel):
    """Decayed mean of one GPU signal, half-life 24 h."""

    name: str = Field(examples=["dram_active_ratio"])
    unit: str = Field(examples=["ratio"])
    help: str
    mean: float | None
    missing: str | None = Field(description="why it was never seen; null when it was")


class FramebufferDay(BaseModel):
    day: str = Field(examples=["2026-01-31"])
    peak_bytes: float = Field(description="most device memory in use on one GPU; at most 1/128 too high")
