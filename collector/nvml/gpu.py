"""One GPU, read again and again: its own numbers, those of its MIG devices, and its processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from collector.nvml.counters import Counters
from collector.nvml.driver import Handle, Nvml
from collector.nvml.gpm import Profiler
from collector.nvml.instances import MigDevice, MigDevices
from collector.nvml.processes import GpuProcess, busy, running
from collector.nvml.refusals import STALE, Patience
from collector.nvml.table import (
    EVENT_REASONS,
    LEVELS,
    MEMORY,
    MEMORY_OLD,
    OF_INSTANCE,
    PCIE,
    POWER_REASONS,
    THERMAL_REASONS,
    Level,
)
from models.signals import GPU_SIGNALS

_RATIOS = frozenset(signal.name for signal in GPU_SIGNALS if signal.unit == "ratio")
_HIGH = {signal.name: signal.high for signal in GPU_SIGNALS}
_PCIE_EVERY = 5
"""Reads between two looks at PCIe by the call that waits for 20 ms."""

Values = dict[str, float]


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while the driver runs. `pci_bus_id`: as the kernel writes it, `0000:17:00.0`."""

    index: int
    uuid: str
    model: str
    memory_bytes: int
    pci_bus_id: str
    pci_device_id: str
    minor: int | None


@dataclass(frozen=True, slots=True)
class Read:
    """What one read found on a GPU, or on one MIG device of it. `span_ms` None: read for the first time.

    uuid:         of the GPU or MIG device
    gpu_instance: of a MIG device
    processes:    None where the driver does not say
    busy:         share of time by process id, where several share the GPU
    """

    gpu: Facts
    uuid: str
    mig_profile: str
    gpu_instance: int | None
    span_ms: int | None
    values: Values
    processes: Sequence[GpuProcess] | None
    busy: dict[int, float] = field(default_factory=dict)


class Gpu:
    """A GPU that answers. Every method raises GpuGoneError or LibraryClosedError."""

    def __init__(self, nvml: Nvml, handle: Handle, facts: Facts) -> None:
        self.handle, self.facts = handle, facts
        self.patience = Patience(nvml)
        self.mig = MigDevices(nvml, self.patience, handle)
        self.counters = Counters(nvml, self.patience, handle)
        self.read_ms: int | None = None
        self._gpm = Profiler(nvml, self.patience, handle)
        self._has_gpm = self._supports_gpm()
        self._reads = facts.index  # so that not all GPUs look at PCIe in the same read

    def read(self, now_ms: int, wall_ms: int) -> list[Read]:
        """The GPU's own numbers first, then those of each MIG device."""
        if self.mig.look():
            self._begin_anew()
        processes = running(self.patience, self.handle)
        whole = self._whole(now_ms, wall_ms, processes)
        return [whole, *filter(None, (self._part(device, now_ms, processes) for device in self.mig.devices.values()))]

    def close(self) -> None:
        """Give back what the library holds for it."""
        self._gpm.close()
        self.mig.close()

    def _begin_anew(self) -> None:
        """MIG was switched on or off: what was refused of the GPU as it was may be answered now, and no GPM sample spans it."""
        self.patience.refused.clear()
        self._gpm.close()
        self._has_gpm = self._supports_gpm()

    def _whole(self, now_ms: int, wall_ms: int, processes: list[GpuProcess] | None) -> Read:
        span_ms, self.read_ms = _span(self.read_ms, now_ms), now_ms
        values = self._gpm.read(now_ms) if self._has_gpm else {}
        values |= self.counters.read(now_ms, values)
        for level in LEVELS:
            _ask(self.patience, self.handle, level, values)
        if not self.mig.enabled:
            _ask_memory(self.patience, self.handle, values)
        if span_ms is not None:  # at the first read GPM has nothing to say yet
            self._look_at_pcie(values)
        self._look_at_throttling(values)
        if self.mig.enabled:  # each MIG device tells of its units, memory and processes; the GPU of the rest
            whole = {signal: value for signal, value in values.items() if signal not in OF_INSTANCE}
            return Read(self.facts, self.facts.uuid, "", None, span_ms, bounded(whole), None)
        shared = processes is not None and len(processes) > 1
        share = busy(self.patience, self.handle, wall_ms - (span_ms or 0)) if shared else {}
        return Read(self.facts, self.facts.uuid, "", None, span_ms, bounded(values), processes, share)

    def _part(self, device: MigDevice, now_ms: int, processes: list[GpuProcess] | None) -> Read | None:
        """None when it went away between being listed and being asked."""
        values: Values = {}
        if device.alone:
            _ask_memory(device.patience, device.handle, values)
            if device.patience.refused.get(MEMORY.signals[0]) in STALE:
                return None
            if self._has_gpm:
                values |= device.gpm.read(now_ms)
        span_ms, device.since_ms = _span(device.since_ms, now_ms), now_ms
        place = device.place
        mine = None if processes is None else [
            p for p in processes
            if p.gpu_instance == place.gpu_instance and (device.alone or p.compute_instance == place.compute_instance)
        ]  # fmt: skip
        return Read(self.facts, place.uuid, place.profile, place.gpu_instance, span_ms, bounded(values), mine)

    def _supports_gpm(self) -> bool:
        support = self.patience.ask("gpm", "nvmlGpmQueryDeviceSupport", self.handle)
        if support is None:
            return False
        if not support.isSupportedDevice:
            self.patience.note("gpm", "NOT_SUPPORTED")
        return bool(support.isSupportedDevice)

    def _look_at_pcie(self, values: Values) -> None:
        self._reads += 1
        if self._reads % _PCIE_EVERY == 0:
            for level in PCIE:
                if level.signals[0] not in values:
                    _ask(self.patience, self.handle, level, values)

    def _look_at_throttling(self, values: Values) -> None:
        """Where no counter says how long clocks were held down: whether they are now."""
        wanted = {"power_throttled_ratio": POWER_REASONS, "thermal_throttled_ratio": THERMAL_REASONS}
        missing = {s: bits for s, bits in wanted.items() if s not in values and not self.counters.may_give(s)}
        reasons = self.patience.ask("reasons", EVENT_REASONS, self.handle) if missing else None
        if reasons is not None:
            values |= {signal: float(bool(reasons & bits)) for signal, bits in missing.items()}


def bounded(values: Values) -> Values:
    """Ratios a little above 1 are 1 (clocks of two counters differ); what is out of range otherwise is left out."""
    return {
        signal: min(value, 1.0) if signal in _RATIOS else value
        for signal, value in values.items()
        if 0 <= value <= _HIGH[signal] or (signal in _RATIOS and value > 1)
    }


def _ask(patience: Patience, device: Handle, level: Level, values: Values, key: str = "") -> None:
    answer = patience.ask(key or level.signals[0], level.call, device, *level.arguments)
    if answer is not None:
        pairs = zip(level.signals, level.take(answer), strict=True)
        values.update((signal, float(value)) for signal, value in pairs if value is not None)


def _ask_memory(patience: Patience, device: Handle, values: Values) -> None:
    _ask(patience, device, MEMORY, values)
    if not patience.may(MEMORY.signals[0]):
        _ask(patience, device, MEMORY_OLD, values, "memory/old")


def _span(before_ms: int | None, now_ms: int) -> int | None:
    return None if before_ms is None or now_ms <= before_ms else now_ms - before_ms
