"""GPM: what the units of a Hopper or newer GPU did between two samples. A sample is kept from one read to the next, so
that no read waits."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from collector.nvml.driver import Handle, Nvml
from collector.nvml.refusals import NvmlError, Patience
from collector.nvml.table import METRICS, Metric

_MIN_SPAN_MS = 100
"""NVML wants more than this between two samples."""


class Profiler:
    """The newest two samples of a GPU, or of one GPU instance of it."""

    def __init__(self, nvml: Nvml, patience: Patience, device: Handle, gpu_instance: int | None = None) -> None:
        """`device` is the whole GPU in both cases."""
        self._nvml, self._patience, self._device, self._instance = nvml, patience, device, gpu_instance
        self._metrics: Sequence[Metric] = [m for m in METRICS if gpu_instance is None or not m.whole]
        self._request: Any = None
        self._samples: list[Handle] = []
        self._taken_ms: int | None = None

    def read(self, now_ms: int) -> dict[str, float]:
        """The means since the sample before; empty at the first read and within 100 ms of another.

        Raises GpuGoneError, LibraryClosedError."""
        if self._taken_ms is not None and now_ms - self._taken_ms <= _MIN_SPAN_MS:
            return {}
        while len(self._samples) < 2:
            sample = self._patience.ask("gpm", "nvmlGpmSampleAlloc")
            if sample is None:
                return {}
            self._samples.append(sample)
        older, newer = self._samples
        if not self._sample(newer):
            return {}
        first, self._taken_ms, self._samples = self._taken_ms is None, now_ms, [newer, older]
        return {} if first else self._values(older, newer)

    def close(self) -> None:
        """Give the samples back. The library must still be open."""
        for sample in self._samples:
            with contextlib.suppress(NvmlError):  # of a GPU that is gone
                self._nvml.ask("nvmlGpmSampleFree", sample)
        self._samples, self._taken_ms = [], None

    def _sample(self, sample: Handle) -> bool:
        if self._instance is None:
            return self._patience.ask("gpm", "nvmlGpmSampleGet", self._device, sample) is not None
        return self._patience.ask("gpm", "nvmlGpmMigSampleGet", self._device, self._instance, sample) is not None

    def _values(self, older: Handle, newer: Handle) -> dict[str, float]:
        if self._request is None:
            self._request = self._nvml.gpm_request([metric.gpm for metric in self._metrics])
        answers = self._patience.attempt("gpm", lambda: self._nvml.gpm(self._request, older, newer))
        found = {}
        for metric, answer in zip(self._metrics, answers or (), strict=False):
            if isinstance(answer, float) and answer >= 0:
                self._patience.refused.pop(f"gpm/{metric.signal}", None)
                found[metric.signal] = answer * metric.scale
            else:  # NaN: an instance without compute instances, for example
                self._patience.refused[f"gpm/{metric.signal}"] = answer if isinstance(answer, str) else "NO_DATA"
        return found
