"""A ResourceClaimTemplate for Kubernetes' dynamic resource allocation (resource.k8s.io/v1) and NVIDIA's driver.

What would do as well is told in order of preference (`firstAvailable`), so that the scheduler takes a larger slice, or the
whole GPU, where the best one is not free.
"""

from __future__ import annotations

import re
from typing import Any

from models.workload import WorkloadName
from recommender.decision import Decision, GpuChoice, GpuOption
from recommender.mig.dialects import dra_selector
from recommender.render.errors import NotRenderableError

_MIG_CLASS, _GPU_CLASS = "mig.nvidia.com", "gpu.nvidia.com"
_MOST_CHOICES = 8
"""The API server refuses a longer `firstAvailable`."""
_LONGEST_NAME = 63


def claim_template(decision: Decision) -> dict[str, Any]:
    """The object for `kubectl create -f`. Raises NotRenderableError when no GPU is asked for."""
    if decision.gpu is None:
        raise NotRenderableError("no GPU is asked for, and there is nothing else to claim")
    if decision.gpu.take.share_ratio < 1:
        raise NotRenderableError(
            "a share of a GPU by time is no device that could be claimed: ask for a GPU or a slice"
        )
    name = _name(decision.workload)
    metadata = {"name": name.name} | ({"namespace": name.namespace} if name.namespace else {})
    if decision.id:
        metadata["annotations"] = {"sizewise.dev/recommendation": decision.id}  # type: ignore[assignment]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": metadata,
        "spec": {"spec": {"devices": {"requests": [_request(decision.gpu)]}}},
    }


def _request(gpu: GpuChoice) -> dict[str, Any]:
    options = [gpu.take, *gpu.alternatives][:_MOST_CHOICES]
    if len(options) == 1:
        return {"name": "gpu", "exactly": _device(gpu.take, gpu)}
    choices = [{"name": _label(option.mig_profile or "whole"), **_device(option, gpu)} for option in options]
    return {"name": "gpu", "firstAvailable": choices}


def _device(option: GpuOption, gpu: GpuChoice) -> dict[str, Any]:
    device: dict[str, Any] = {"deviceClassName": _MIG_CLASS if option.mig_profile else _GPU_CLASS}
    if option.mig_profile:
        device["selectors"] = [{"cel": {"expression": dra_selector(option.mig_profile)}}]
    return device | ({"allocationMode": "ExactCount", "count": option.count} if option.count > 1 else {})


def _name(workload: str) -> WorkloadName:
    try:
        name = WorkloadName.parse(workload)
    except ValueError:
        name = WorkloadName("", "", "", workload)
    plain = _label("-".join(part for part in (name.name, name.container) if part))
    return WorkloadName(name.cluster, name.namespace, name.kind, f"{plain}-gpu" if plain else "sizewise-gpu")


def _label(text: str) -> str:
    """A DNS label; room is left for `-gpu`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[: _LONGEST_NAME - 4].strip("-")
