"""The open library and every GPU it tells of. What goes away is dropped here, and said."""

from __future__ import annotations

import contextlib

from collector.nvml import inventory
from collector.nvml.driver import Nvml
from collector.nvml.errors import Errors, GpuError
from collector.nvml.gpu import Gpu, Read
from collector.nvml.refusals import CLOSED, GpuGoneError, LibraryClosedError, NvmlError
from collector.source import Moment
from models.inventory import Gpu as GpuEntry


class Session:
    """One opening of the library. A method may raise LibraryClosedError; then only `close` may be called."""

    def __init__(self, sys: str) -> None:
        """`sys`: the host's sysfs. Raises NvmlError or LibraryClosedError when there is no driver."""
        self._nvml, self._sys = Nvml(), sys
        self.gpus: list[Gpu] = []
        self.lost: dict[str, str] = {}
        """By UUID, or number where even that cannot be asked: how a GPU is gone."""
        try:
            for index in range(self._nvml.ask("nvmlDeviceGetCount")):
                self._find(index)
        except (NvmlError, LibraryClosedError):
            with contextlib.suppress(NvmlError):
                self._nvml.close()
            raise
        self._errors = Errors(self._nvml, self.gpus)
        self._links = inventory.links(self._nvml, self.gpus)
        self._cuts = {gpu.facts.uuid: inventory.profiles(self._nvml, gpu) for gpu in self.gpus}

    def read(self, now: Moment) -> tuple[list[Read], list[GpuError]]:
        """What every GPU and MIG device says, and what went wrong; a GPU that is gone says nothing any more."""
        reads: list[Read] = []
        errors = self._errors.read(now.steady_ms)
        for gpu in list(self.gpus):
            try:
                reads += gpu.read(now.steady_ms, now.wall_ms)
            except GpuGoneError as error:
                self._drop(gpu, error.code)
                errors.append(GpuError(gpu.facts.uuid, None, {"error": "lost", "code": error.code}))
        return reads, errors

    def inventory(self) -> tuple[GpuEntry, ...]:
        """What the GPUs are now."""
        facts = ((gpu, self._links.get(gpu.facts.uuid, ()), self._cuts.get(gpu.facts.uuid, ())) for gpu in self.gpus)
        return tuple(inventory.entry(gpu, near, cuts, self._sys) for gpu, near, cuts in facts)

    @property
    def xid_refusal(self) -> str:
        """Why some GPU's XIDs cannot be told of."""
        return self._errors.refused

    def close(self) -> None:
        """Give everything back, as far as the library still lets it."""
        for gpu in self.gpus:
            gpu.close()
        with contextlib.suppress(NvmlError):
            self._errors.close()
        with contextlib.suppress(NvmlError):
            self._nvml.close()
        self.gpus = []

    def _find(self, index: int) -> None:
        try:
            handle = self._nvml.ask("nvmlDeviceGetHandleByIndex", index)
            gpu = Gpu(self._nvml, handle, inventory.facts(self._nvml, index, handle))
            gpu.mig.look()
            self.gpus.append(gpu)
        except NvmlError as error:
            if error.code in CLOSED:
                raise
            self.lost[f"number {index}"] = error.code
        except GpuGoneError as error:
            self.lost[f"number {index}"] = error.code

    def _drop(self, gpu: Gpu, code: str) -> None:
        self.gpus.remove(gpu)
        gpu.close()
        self.lost[gpu.facts.uuid] = code
