"""The driver's library, asked through pynvml: the one place that knows it. Its errors become ours here."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from collector.nvml.refusals import NvmlError

LIBRARY = "libnvidia-ml.so.1"

Handle = Any
"""What NVML calls a device, MIG device, event set or sample; valid until the library is closed or the layout changes."""

CLOCK_SM, CLOCK_MEMORY = 1, 2
PCIE_TRANSMIT, PCIE_RECEIVE = 0, 1
CORRECTED, UNCORRECTED, SINCE_DRIVER_LOAD = 0, 1, 0
P2P_NVLINK, P2P_OK = 2, 0
MEMORY_V2 = 0x02000028
EVENT_XID = 0x8
GPU_INSTANCE_PROFILES = 0x12
"""Kinds of GPU instances that this NVML knows, by the enumeration that nvmlDeviceGetGpuInstanceProfileInfo takes."""

_NO_GPUS_IS_NO_ERROR = 1  # NVML_INIT_FLAG_NO_GPUS
_GPM_VERSION = 1
_UNSIGNED_64_BIT = (2, 3)  # NVML_VALUE_TYPE_*: counters of 32 bits wrap many times a second


class Nvml:
    """The library, initialised. Used by one thread; `close` before another one is opened."""

    def __init__(self) -> None:
        """Raises NvmlError: LIBRARY_NOT_FOUND, DRIVER_NOT_LOADED, LIB_RM_VERSION_MISMATCH, ..."""
        try:
            ctypes.CDLL(LIBRARY)  # before pynvml: a machine without a driver saves its 3 MB
        except OSError as error:
            raise NvmlError("nvmlInit", "LIBRARY_NOT_FOUND") from error
        import pynvml

        self._pynvml = pynvml
        self._codes: dict[int, str] = {
            value: name.removeprefix("NVML_ERROR_")
            for name, value in vars(pynvml).items()
            if name.startswith("NVML_ERROR_")
        }
        self.ask("nvmlInitWithFlags", _NO_GPUS_IS_NO_ERROR)

    def ask(self, call: str, *arguments: Any) -> Any:
        """What a function of pynvml answers. Raises NvmlError for every answer but success."""
        try:
            return getattr(self._pynvml, call)(*arguments)
        except self._pynvml.NVMLError as error:
            raise NvmlError(call, self._codes.get(error.value, str(error.value))) from error

    def fields(self, device: Handle, wanted: Sequence[tuple[int, int]]) -> list[int | str]:
        """Counters by (field, scope): the value, or the name of the refusal."""
        found = self.ask("nvmlDeviceGetFieldValues", device, wanted)
        return [self._counter(value) for value in found]

    def placements(self, device: Handle, profile_id: int, most: int) -> list[tuple[int, int]]:
        """(start, memory slices) of every place where an instance of this profile may stand."""
        found = (self._pynvml.c_nvmlGpuInstancePlacement_t * most)()
        count = ctypes.c_uint(most)
        self.ask("nvmlDeviceGetGpuInstancePossiblePlacements", device, profile_id, found, ctypes.byref(count))
        return [(place.start, place.size) for place in found[: count.value]]

    def gpm_request(self, metrics: Sequence[int]) -> Any:
        """What `gpm` takes, made once: it is 19 kB."""
        request = self._pynvml.c_nvmlGpmMetricsGet_t()
        request.version, request.numMetrics = _GPM_VERSION, len(metrics)
        for slot, metric in enumerate(metrics):
            request.metrics[slot].metricId = metric
        return request

    def gpm(self, request: Any, older: Handle, newer: Handle) -> list[float | str]:
        """The metrics of a request between two samples: the value, or the name of the refusal."""
        request.sample1, request.sample2 = older, newer
        self.ask("nvmlGpmMetricsGet", request)
        metrics = request.metrics
        return [
            self._codes.get(metric.nvmlReturn, str(metric.nvmlReturn)) if metric.nvmlReturn else metric.value
            for metric in (metrics[i] for i in range(request.numMetrics))
        ]

    def close(self) -> None:
        """Every handle is void after it. Raises NvmlError."""
        self.ask("nvmlShutdown")

    @staticmethod
    def address(handle: Handle) -> int | None:
        """What tells two handles apart: pynvml makes a new object for each answer."""
        return ctypes.cast(handle, ctypes.c_void_p).value

    def _counter(self, value: Any) -> int | str:
        if value.nvmlReturn:
            return self._codes.get(value.nvmlReturn, str(value.nvmlReturn))
        if value.valueType not in _UNSIGNED_64_BIT:
            return "NOT_SUPPORTED"
        count: int = value.value.ullVal
        return count
