"""What the API says of MIG slices for a workload."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class SliceReason(BaseModel):
    code: str = Field(description="stable code", examples=["slice-speed"])
    sentence: str = Field(examples=["3g.40gb keeps 96% of its speed, expected"])


class SliceSpeed(BaseModel):
    mig_profile: str = Field(examples=["3g.40gb"])
    speed_ratio: float = Field(description="expected speed over that on the whole GPU", examples=[0.96])
    lowest_ratio: float = Field(
        description="the same when the prediction is as far off as four in five are at most", examples=[0.93]
    )
    highest_ratio: float = Field(
        description="and to the other side; wider on a GPU model that was not learned from", examples=[0.98]
    )


class SliceWords(BaseModel):
    """How to ask for the slice."""

    kubernetes_resource: dict[str, str] = Field(examples=[{"nvidia.com/mig-3g.40gb": "1"}])
    kubernetes_dra_selector: str
    slurm_gres: str = Field(examples=["gpu:h100_3g.40gb:1"])


class CostAnswer(BaseModel):
    """What an hour of the GPUs of one instance costs."""

    usd_per_hour: float = Field(examples=[2.29])
    idle_usd_per_hour: float | None = Field(
        description="of that, for the share of its time in which hardly anything ran; null: its time is not known",
        examples=[0.92],
    )
    slice_saving_usd_per_hour: float | None = Field(
        description="of one GPU, what `mig_profile` would leave to others by its share of the compute; null: no slice is advised",
        examples=[1.3086],
    )
    gpu_usd_per_hour: float = Field(description="of one GPU", examples=[2.29])
    source: str = Field(description="who says so", examples=["Verda on demand; SkyPilot catalog v8, commit 000c1d0b"])
    read_on: str | None = Field(description="the day it was read; null: its node says it now", examples=["2026-11-24"])
    indicative: bool = Field(description="a list price of one provider, which others undercut or ask three times of")


class MigAnswer(BaseModel):
    """The smallest MIG slice that holds its memory and keeps it within the slowdown that policy allows."""

    action: Literal["slice", "whole", "probe", "refused"] = Field(
        description="take `mig_profile`; keep the whole GPU; measure on slice `probe` first; MIG is no answer, reasons say why"
    )
    mig_profile: str | None = Field(description="null: none can be given", examples=["3g.40gb"])
    safe: bool = Field(
        description="`mig_profile` keeps the slowdown even at its lowest speed: take it without a probe",
        examples=[True],
    )
    probe: str | None = Field(
        description="slice near the line to run it on once: `mig_profile` itself, or one that may do; null: it is clear"
    )
    speeds: list[SliceSpeed] = Field(description="smallest slice first; empty when refused")
    max_slowdown_ratio: float = Field(description="what policy allows", examples=[0.1])
    reasons: list[SliceReason]
    ask_for: SliceWords | None = Field(description="`mig_profile` in the words of schedulers")
    cost: CostAnswer | None = Field(
        description="null: neither its node says a price nor does a catalogue list the model, or it has a part of a GPU"
    )
