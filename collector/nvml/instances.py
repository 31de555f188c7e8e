"""MIG devices of one GPU, found anew at each read: the layout may change between two reads, and a handle with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from collector.nvml.driver import Handle, Nvml
from collector.nvml.gpm import Profiler
from collector.nvml.refusals import STALE, NvmlError, Patience
from models.inventory import MigInstance


@dataclass(frozen=True, slots=True)
class Place:
    """What a MIG device is. `profile`: as NVML prints it (`1g.10gb`); `start`: its first memory slice."""

    uuid: str
    profile: str
    gpu_instance: int
    compute_instance: int
    start: int | None


class MigDevice:
    """A MIG device: a compute instance, and mostly the only one of its GPU instance."""

    def __init__(self, nvml: Nvml, gpu: Handle, handle: Handle, place: Place) -> None:
        self._nvml, self._gpu = nvml, gpu
        self.handle, self.place = handle, place
        self.patience = Patience(nvml)
        self.alone = True
        """Whether the GPU instance holds no other: memory and GPM belong to the GPU instance."""
        self.since_ms: int | None = None

    @cached_property
    def gpm(self) -> Profiler:
        return Profiler(self._nvml, self.patience, self._gpu, self.place.gpu_instance)

    def close(self) -> None:
        if "gpm" in self.__dict__:
            self.gpm.close()


class MigDevices:
    """The MIG devices of one GPU by UUID."""

    def __init__(self, nvml: Nvml, patience: Patience, gpu: Handle) -> None:
        self._nvml, self._patience, self._gpu = nvml, patience, gpu
        self.devices: dict[str, MigDevice] = {}
        self.enabled = False

    def look(self) -> bool:
        """Bring `enabled` and `devices` up to date; returns whether something changed.

        Raises GpuGoneError, LibraryClosedError."""
        mode = self._patience.ask("mig", "nvmlDeviceGetMigMode", self._gpu)
        enabled = bool(mode and mode[0])
        handles = self._handles() if enabled else {}
        changed = enabled != self.enabled or handles.keys() != self.devices.keys()
        self.enabled = enabled
        for uuid in self.devices.keys() - handles.keys():
            self.devices.pop(uuid).close()
        for uuid, handle in handles.items():
            if uuid in self.devices:
                self.devices[uuid].handle = handle
            elif (place := self._place(uuid, handle)) is not None:
                self.devices[uuid] = MigDevice(self._nvml, self._gpu, handle, place)
        if changed:
            held = Counter(device.place.gpu_instance for device in self.devices.values())
            for device in self.devices.values():
                device.alone = held[device.place.gpu_instance] == 1
        return changed

    def inventory(self) -> tuple[MigInstance, ...]:
        places = sorted((d.place for d in self.devices.values()), key=lambda p: (p.start or 0, p.uuid))
        return tuple(MigInstance(place.uuid, place.profile, place.start) for place in places)

    def close(self) -> None:
        for device in self.devices.values():
            device.close()
        self.devices.clear()

    def _handles(self) -> dict[str, Handle]:
        """By UUID. Indices have gaps where nothing stands."""
        found = {}
        for index in range(self._patience.ask("mig", "nvmlDeviceGetMaxMigDeviceCount", self._gpu) or 0):
            try:
                handle = self._nvml.ask("nvmlDeviceGetMigDeviceHandleByIndex", self._gpu, index)
                found[self._nvml.ask("nvmlDeviceGetUUID", handle)] = handle
            except NvmlError as error:
                if error.code not in STALE:
                    self._patience.note("mig", error.code)
        return found

    def _place(self, uuid: str, handle: Handle) -> Place | None:
        """None when it is gone again, or not yet whole."""
        try:
            name = self._nvml.ask("nvmlDeviceGetName", handle)
            instance = self._nvml.ask("nvmlDeviceGetGpuInstanceId", handle)
            compute = self._nvml.ask("nvmlDeviceGetComputeInstanceId", handle)
        except NvmlError as error:
            self._patience.note("mig", error.code)
            return None
        return Place(uuid, name.partition(" MIG ")[2], instance, compute, self._start(instance))

    def _start(self, gpu_instance: int) -> int | None:
        """The first memory slice; only root is told."""
        found = self._patience.ask("placement", "nvmlDeviceGetGpuInstanceById", self._gpu, gpu_instance)
        info = found and self._patience.ask("placement", "nvmlGpuInstanceGetInfo", found)
        return int(info.placement.start) if info else None
