"""What goes wrong on GPUs: XIDs and memory errors, as they come."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from collector.nvml.driver import CORRECTED, EVENT_XID, SINCE_DRIVER_LOAD, UNCORRECTED, Nvml
from collector.nvml.gpu import Gpu
from collector.nvml.refusals import CLOSED, GpuGoneError, LibraryClosedError, NvmlError
from collector.rates import growth

_MOST_EVENTS = 64
"""Of one read: a GPU that dies tells of hundreds."""
_ECC_EVERY_MS = 30_000
_ECC_KINDS = (("ecc-corrected", CORRECTED), ("ecc-uncorrected", UNCORRECTED))
_NO_INSTANCE = 0xFFFFFFFF


class GpuError(NamedTuple):
    """One error. `gpu_instance` None: of the whole GPU. `details`: `error` and what belongs to it."""

    uuid: str
    gpu_instance: int | None
    details: dict[str, str]


class Errors:
    """Waits for XIDs of the GPUs that can tell of them, and counts memory errors. Raises LibraryClosedError."""

    def __init__(self, nvml: Nvml, gpus: Sequence[Gpu]) -> None:
        self._nvml, self._gpus = nvml, gpus
        # a GPU that falls off the bus (XID 79) can no longer be asked who it is
        self._uuids = {nvml.address(gpu.handle): gpu.facts.uuid for gpu in gpus}
        self._set: Any = None
        self._ecc: dict[tuple[str, str], int] = {}
        self._next_ecc_ms = 0
        self._unregistered = self._unheard = ""
        self._register()

    def read(self, now_ms: int) -> list[GpuError]:
        """What has come since the read before."""
        return [*self._xids(), *self._memory(now_ms)]

    @property
    def refused(self) -> str:
        """Why some GPU's XIDs cannot be told of; empty when all can."""
        return self._unregistered or self._unheard

    def close(self) -> None:
        if self._set is not None:
            self._nvml.ask("nvmlEventSetFree", self._set)
            self._set = None

    def _register(self) -> None:
        try:
            self._set = self._nvml.ask("nvmlEventSetCreate")
        except NvmlError as error:
            self._unregistered = error.code
            return
        for gpu in self._gpus:
            try:
                self._nvml.ask("nvmlDeviceRegisterEvents", gpu.handle, EVENT_XID, self._set)
            except NvmlError as error:
                self._unregistered = error.code

    def _xids(self) -> Iterator[GpuError]:
        for _ in range(_MOST_EVENTS if self._set is not None else 0):
            try:
                event = self._nvml.ask("nvmlEventSetWait_v2", self._set, 0)
            except NvmlError as error:
                if error.code in CLOSED:
                    raise LibraryClosedError(error.code) from error
                self._unheard = "" if error.code == "TIMEOUT" else error.code  # TIMEOUT: there is none
                return
            uuid = self._uuids.get(self._nvml.address(event.device), "")
            instance = None if event.gpuInstanceId == _NO_INSTANCE else int(event.gpuInstanceId)
            yield GpuError(uuid, instance, {"error": "xid", "xid": str(event.eventData)})

    def _memory(self, now_ms: int) -> Iterator[GpuError]:
        if now_ms < self._next_ecc_ms:
            return
        self._next_ecc_ms = now_ms + _ECC_EVERY_MS
        for gpu in self._gpus:
            with contextlib.suppress(GpuGoneError):  # its own read will say so
                yield from self._of(gpu)

    def _of(self, gpu: Gpu) -> Iterator[GpuError]:
        for name, kind in _ECC_KINDS:
            count = gpu.patience.ask(name, "nvmlDeviceGetTotalEccErrors", gpu.handle, kind, SINCE_DRIVER_LOAD)
            if count is None:
                continue
            before = self._ecc.get((gpu.facts.uuid, name), count)
            self._ecc[gpu.facts.uuid, name] = count
            if grown := growth(before, count):
                yield GpuError(gpu.facts.uuid, None, {"error": name, "count": str(grown)})
