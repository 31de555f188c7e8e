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
        """Bring `enabled` and `devices` up to date; returns whether the mode changed. What the driver does not tell this time
        stays as it was: a cut GPU that is taken for a whole one would give its parts' numbers to the wrong workloads.

        Raises GpuGoneError, LibraryClosedError."""
        mode = self._patience.ask("mig", "nvmlDeviceGetMigMode", self._gpu)
        if mode is None and self._patience.may("mig"):
            return False
        enabled = bool(mode and mode[0])
        handles = self._handles() if enabled else {}
        if handles is not None:
            self._follow(handles)
        changed, self.enabled = enabled != self.enabled, enabled
        return changed

    def inventory(self) -> tuple[MigInstance, ...]:
        places = sorted((d.place for d in self.devices.values()), key=lambda p: (p.start or 0, p.uuid))
        return tuple(MigInstance(place.uuid, place.profile, place.start) for place in places)

    def close(self) -> None:
        for device in self.devices.values():
            device.close()
        self.devices.clear()

    def _follow(self, handles: dict[str, Handle]) -> None:
        """Close what is gone or was cut anew, open what is new."""
        gone = [uuid for uuid, device in self.devices.items() if not self._stands(device, handles.get(uuid))]
        for uuid in gone:
            self.devices.pop(uuid).close()
        for uuid, handle in handles.items():
            if uuid in self.devices:
                self.devices[uuid].handle = handle
            elif (place := self._place(uuid, handle)) is not None:
                self.devices[uuid] = MigDevice(self._nvml, self._gpu, handle, place)
        held = Counter(device.place.gpu_instance for device in self.devices.values())
        for device in self.devices.values():
            device.alone = held[device.place.gpu_instance] == 1

    def _stands(self, device: MigDevice, handle: Handle | None) -> bool:
        """Whether it is what it was. Drivers make UUIDs from the GPU and the numbers of the instances, so another size in the
        same place may bear the same one; the name tells the size."""
        if handle is None:
            return False
        name = self._patience.ask("mig-name", "nvmlDeviceGetName", handle)
        return name is None or _profile_of(name) == device.place.profile

    def _handles(self) -> dict[str, Handle] | None:
        """By UUID. Indices have gaps where nothing stands. None: the driver does not tell now."""
        most = self._patience.ask("mig-devices", "nvmlDeviceGetMaxMigDeviceCount", self._gpu)
        if most is None:
            return None
        found = {}
        for index in range(most):
            try:
                handle = self._nvml.ask("nvmlDeviceGetMigDeviceHandleByIndex", self._gpu, index)
                found[self._nvml.ask("nvmlDeviceGetUUID", handle)] = handle
            except NvmlError as error:
                if error.code not in STALE:
                    self._patience.note("mig-device", error.code)
        return found

    def _place(self, uuid: str, handle: Handle) -> Place | None:
        """None when it is gone again, or not yet whole."""
        try:
            name = self._nvml.ask("nvmlDeviceGetName", handle)
            instance = self._nvml.ask("nvmlDeviceGetGpuInstanceId", handle)
            compute = self._nvml.ask("nvmlDeviceGetComputeInstanceId", handle)
        except NvmlError as error:
            self._patience.note("mig-device", error.code)
            return None
        return Place(uuid, _profile_of(name), instance, compute, self._start(instance))

    def _start(self, gpu_instance: int) -> int | None:
        """The first memory slice; only root is told."""
        found = self._patience.ask("placement", "nvmlDeviceGetGpuInstanceById", self._gpu, gpu_instance)
        info = found and self._patience.ask("placement", "nvmlGpuInstanceGetInfo", found)
        return int(info.placement.start) if info else None


def _profile_of(name: str) -> str:
    """NVML prints `NVIDIA H100 80GB HBM3 MIG 3g.40gb`."""
    return name.partition(" MIG ")[2]
