"""Which signals the GPUs of this machine show, and for each that they do not, why and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from collector.nvml.gpu import Gpu, Read
from collector.nvml.instances import MigDevice
from collector.nvml.refusals import FINAL, mend
from collector.nvml.table import COUNTERS, LEVELS, MEMORY, METRICS, OF_INSTANCE, PCIE
from models.inventory import Coverage
from models.signals import GPU_SIGNALS

SOURCE = "nvml"
SHARERS = "gpu_sharers"

_GPM = {metric.signal for metric in METRICS}
_COUNTED = {counter.signal for counter in COUNTERS}
_LEVEL_KEYS = {signal: level.signals[0] for level in (*LEVELS, MEMORY, *PCIE) for signal in level.signals}
_UTILIZATION = LEVELS[0].signals

_NO_GPM = "GPM needs Hopper or newer; on this GPU dcgm-exporter with profiling counters shows it (collector.dcgm)"
_WHOLE_ONLY = "told of a whole GPU only; the row of this machine has it for the GPU that the instance is on"
_UNDER_MIG = (
    "NVML tells of no utilization under MIG; GPM on Hopper or newer, or dcgm-exporter, shows the engines' instead"
)
_BY_PART = "the GPU is cut by MIG: each MIG device has a row of its own"
_NOT_ALONE = "several compute instances share this GPU instance, whose memory and units are counted together"
_NO_PROCESSES = (
    "no process on the GPUs may be seen; run the collector as root in the host's process namespace (hostPID)"
)
_SOON = "not read yet; it takes two reads"


class Seen:
    """Which signals have had a value, of each GPU model, whole and as MIG devices."""

    def __init__(self) -> None:
        self._signals: dict[str, set[str]] = {}

    def note(self, source: str, signals: Mapping[str, float]) -> None:
        known = self._signals.setdefault(source, set())
        if not signals.keys() <= known:
            known.update(signals)

    def of(self, source: str) -> set[str]:
        return self._signals.get(source, set())


def source_of(read: Read) -> str:
    """The source that a coverage line names: `nvml/NVIDIA A100-SXM4-40GB`, with ` MIG` for a MIG device."""
    return f"{SOURCE}/{read.gpu.model}{' MIG' if read.mig_profile else ''}"


def signal_lines(gpus: Sequence[Gpu], seen: Seen) -> Iterator[Coverage]:
    """A line for each signal of each GPU model, and of its MIG devices where there are any."""
    for model, gpu in {gpu.facts.model: gpu for gpu in reversed(gpus)}.items():
        source = f"{SOURCE}/{model}"
        yield from _lines(source, seen, partial(_why, gpu))
        if gpu.mig.devices:
            yield from _lines(f"{source} MIG", seen, partial(_why_of_part, next(iter(gpu.mig.devices.values())), gpu))


def machine_lines(
    lost: Mapping[str, str], xid_refusal: str, gpus: Sequence[Gpu], hidden: int, kubelet: str
) -> Iterator[Coverage]:
    """What holds for the machine: GPUs that are gone, errors that cannot be told of, processes that are not known.

    lost: UUID to how it is gone. hidden: processes that nobody knows. kubelet: why it does not answer.
    """
    for name, code in lost.items():
        yield Coverage(SOURCE, "gpu", False, f"GPU {name}: {mend(code)}")
    yield _line("xid", f"XIDs of some GPU cannot be told of: {mend(xid_refusal)}" if xid_refusal else "")
    refusals = [gpu.patience.refused.get("ecc-uncorrected") for gpu in gpus]
    yield _line("ecc", mend(next(filter(None, refusals))) if any(refusals) else "")
    unseen = any("compute/v3" in gpu.patience.refused and "compute/v2" in gpu.patience.refused for gpu in gpus)
    yield _line("workload", kubelet or (_NO_PROCESSES if unseen or hidden else ""))


def _line(signal: str, reason: str) -> Coverage:
    return Coverage(SOURCE, signal, not reason, reason)


def _lines(source: str, seen: Seen, why: Callable[[str], str]) -> Iterator[Coverage]:
    known = seen.of(source)
    for signal in (signal.name for signal in GPU_SIGNALS):
        yield Coverage(source, signal, True) if signal in known else Coverage(source, signal, False, why(signal))


def _why(gpu: Gpu, signal: str) -> str:
    if gpu.mig.enabled and (signal == SHARERS or signal in OF_INSTANCE):
        return _BY_PART
    if signal == SHARERS:
        return _NO_PROCESSES
    if gpu.mig.enabled and signal in _UTILIZATION:
        return _UNDER_MIG
    refused = gpu.patience.refused
    if signal in _GPM and signal not in _COUNTED:
        return _why_no_gpm(signal, refused)
    code = refused.get(_LEVEL_KEYS.get(signal, f"field/{signal}")) or refused.get("fields")
    return mend(code) if code else _SOON


def _why_of_part(device: MigDevice, gpu: Gpu, signal: str) -> str:
    if signal != SHARERS and signal not in OF_INSTANCE:
        return _UNDER_MIG if signal in _UTILIZATION else _WHOLE_ONLY
    if not device.alone:
        return _NOT_ALONE
    if signal in _GPM:
        return _why_no_gpm(signal, gpu.patience.refused | device.patience.refused)
    code = device.patience.refused.get(_LEVEL_KEYS.get(signal, ""))
    return mend(code) if code else _NO_PROCESSES if signal == SHARERS else _SOON


def _why_no_gpm(signal: str, refused: Mapping[str, str]) -> str:
    if refused.get("gpm") in FINAL:
        return _NO_GPM
    code = refused.get("gpm") or refused.get(f"gpm/{signal}")
    return mend(code) if code else _SOON
