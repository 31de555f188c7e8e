"""One node out of what several sources know of it: the host its processors, NVML its GPUs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any

from models.inventory import Allocation, Node
from models.taints import Taint, united


def joined(parts: Sequence[Node]) -> Node:
    """The node that all parts (at least one) tell of: of each field, and of each label, what the first part that has it
    says; GPUs, taints, coverage and what workloads hold are put together. `time_ms` is the newest."""
    known: dict[str, Any] = {}
    for name in (field.name for field in fields(Node)):
        known[name] = next(filter(None, (getattr(part, name) for part in parts)), getattr(parts[0], name))
    labels: dict[str, str] = {}
    for part in reversed(parts):
        labels |= part.labels
    return replace(
        parts[0],
        **known
        | {
            "time_ms": max(part.time_ms for part in parts),
            "labels": labels,
            "spot": next((part.spot for part in parts if part.spot is not None), None),
            "taints": _taints(part.taints for part in parts),
            "gpus": tuple(gpu for part in parts for gpu in part.gpus),
            "coverage": tuple(line for part in parts for line in part.coverage),
            "allocations": held_once(allocation for part in parts for allocation in part.allocations),
        },
    )


def _taints(parts: Iterable[tuple[Taint, ...] | None]) -> tuple[Taint, ...] | None:
    told = [part for part in parts if part is not None]
    return united(told) if told else None


def held_once(allocations: Iterable[Allocation]) -> tuple[Allocation, ...]:
    """One for each workload instance, in order of first mention."""
    found: dict[tuple[str, str], Allocation] = {}
    for new in allocations:
        key = new.workload, new.instance
        known = found.get(key, new)
        found[key] = replace(
            known,
            cpu_cores=new.cpu_cores if known.cpu_cores is None else known.cpu_cores,
            memory_bytes=new.memory_bytes if known.memory_bytes is None else known.memory_bytes,
            gpu_uuids=tuple(dict.fromkeys((*known.gpu_uuids, *new.gpu_uuids))),
            image=known.image or new.image,
            command=known.command or new.command,
            gpu_share_ratio=new.gpu_share_ratio if known.gpu_share_ratio is None else known.gpu_share_ratio,
        )
    return tuple(found.values())
