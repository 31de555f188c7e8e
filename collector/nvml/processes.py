"""Which processes use a GPU, and how much of it each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from collector.nvml.driver import Handle
from collector.nvml.refusals import Patience

_WHOLE = 0xFFFFFFFF
"""The GPU instance of a process on a GPU without MIG."""

_LISTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("compute", ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2")),
    ("mps", ("nvmlDeviceGetMPSComputeRunningProcesses_v3", "nvmlDeviceGetMPSComputeRunningProcesses_v2")),
)
"""Clients of MPS stand in a list of their own. Drivers before 510 know the older calls only."""

_US_PER_MS = 1000


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process with a context on a GPU. None: the driver does not say, or (instances) there is no MIG."""

    pid: int
    memory_bytes: int | None
    gpu_instance: int | None = None
    compute_instance: int | None = None


def running(patience: Patience, device: Handle) -> list[GpuProcess] | None:
    """Every process on a GPU, each once; None when the driver does not say.

    Raises GpuGoneError, LibraryClosedError."""
    found: dict[int, GpuProcess] = {}
    lists = [_listed(patience, device, key, calls) for key, calls in _LISTS]
    for process in (process for processes in lists for process in processes or ()):
        known = found.get(process.pid)
        if known is None or (process.memory_bytes or 0) > (known.memory_bytes or 0):
            found[process.pid] = process
    return None if lists[0] is None else list(found.values())


def busy(patience: Patience, device: Handle, since_ms: int) -> dict[int, float]:
    """By process id, the share of time since `since_ms` (wall clock) in which a kernel of it ran; the driver samples it
    a few times a second. Empty when it does not say; raises as `running`."""
    samples = patience.ask("busy", "nvmlDeviceGetProcessUtilization", device, since_ms * _US_PER_MS)
    shares: dict[int, list[int]] = {}
    for sample in samples or ():
        shares.setdefault(sample.pid, []).append(sample.smUtil)
    return {pid: sum(values) / len(values) / 100 for pid, values in shares.items()}


def _listed(patience: Patience, device: Handle, key: str, calls: Sequence[str]) -> list[GpuProcess] | None:
    for call in calls:
        found = patience.ask(f"{key}/{call[-2:]}", call, device)
        if found is not None:
            return [_process(process) for process in found]
    return None


def _process(found: object) -> GpuProcess:
    process = GpuProcess(found.pid, found.usedGpuMemory)  # type: ignore[attr-defined]  # pynvml has no types
    instance: int = getattr(found, "gpuInstanceId", _WHOLE)
    if instance in (_WHOLE, None):
        return process
    return replace(process, gpu_instance=instance, compute_instance=getattr(found, "computeInstanceId", None))
