"""What NVML answers instead of a value, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class NvmlError(Exception):
    """A call that was refused. `code`: the name of the return value without NVML_ERROR_."""

    def __init__(self, call: str, code: str) -> None:
        super().__init__(f"{call} answers {code}: {mend(code)}")
        self.call, self.code = call, code


GONE = frozenset({"GPU_IS_LOST", "RESET_REQUIRED", "GPU_NOT_FOUND", "IRQ_ISSUE"})
"""The device itself is gone; the others may be well."""

CLOSED = frozenset({"UNINITIALIZED", "DRIVER_NOT_LOADED", "LIB_RM_VERSION_MISMATCH", "LIBRARY_NOT_FOUND"})
"""Nothing can be asked until the library is opened anew."""

STALE = frozenset({"INVALID_ARGUMENT", "NOT_FOUND"})
"""Of a MIG device: the layout changed under the handle."""

FINAL = frozenset({"NOT_SUPPORTED", "FUNCTION_NOT_FOUND", "ARGUMENT_VERSION_MISMATCH", "VGPU_ECC_NOT_SUPPORTED"})
"""Never answered otherwise as long as the driver runs, so it is not asked again."""

_MENDS = {
    "LIBRARY_NOT_FOUND": "no NVIDIA driver here (libnvidia-ml.so.1 is not found); on a machine with GPUs install it, or "
    "mount it into the collector's container",
    "DRIVER_NOT_LOADED": "the NVIDIA kernel module is not loaded; run `modprobe nvidia`",
    "LIB_RM_VERSION_MISMATCH": "the driver was changed while its kernel module runs; reboot or reload the module",
    "NO_PERMISSION": "run the collector as root; in a container with CAP_SYS_ADMIN and every GPU visible",
    "NOT_SUPPORTED": "this GPU or driver does not have it",
    "FUNCTION_NOT_FOUND": "the driver is older than this call; install a newer one",
    "ARGUMENT_VERSION_MISMATCH": "the driver is older than this call; install a newer one",
    "VGPU_ECC_NOT_SUPPORTED": "a virtual GPU does not have it; ask on the host",
    "GPU_IS_LOST": "the GPU fell off the bus; see `dmesg` for its XID, then reboot the machine",
    "GPU_NOT_FOUND": "the GPU fell off the bus; see `dmesg` for its XID, then reboot the machine",
    "RESET_REQUIRED": "the GPU must be reset: drain it and run `nvidia-smi --gpu-reset`",
    "IRQ_ISSUE": "the GPU's interrupts do not arrive; see `dmesg`, then reboot the machine",
    "CORRUPTED_INFOROM": "the board's own memory is damaged; ask its vendor",
    "OPERATING_SYSTEM": "the operating system refused; are /dev/nvidia* visible to the collector?",
    "UNINITIALIZED": "the driver was unloaded; the library is opened again by itself",
    "TIMEOUT": "the driver did not answer in time; it is asked again",
    "NO_DATA": "the driver has no sample yet; it is asked again",
    "UNKNOWN": "the driver failed inside; it is asked again; see `dmesg` if it stays so",
}


def mend(code: str) -> str:
    """What to do about a refusal."""
    return _MENDS.get(code, "it is asked again; see `dmesg` and the driver's release notes if it stays so")


class GpuGoneError(Exception):
    """A device cannot be asked any more. `code` says how it is gone."""

    def __init__(self, code: str) -> None:
        super().__init__(mend(code))
        self.code = code


class LibraryClosedError(Exception):
    """The library must be opened anew. `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(mend(code))
        self.code = code


class Asked(Protocol):
    """The part of `driver.Nvml` that answers or raises NvmlError."""

    def ask(self, call: str, *arguments: Any) -> Any: ...


class Patience:
    """Asks one device, and remembers by key what it refused last. What can never be answered is asked once."""

    def __init__(self, nvml: Asked) -> None:
        self._nvml = nvml
        self.refused: dict[str, str] = {}

    def ask(self, key: str, call: str, *arguments: Any) -> Any | None:
        """The answer, or None when it is refused. Raises GpuGoneError or LibraryClosedError."""
        return self.attempt(key, lambda: self._nvml.ask(call, *arguments))

    def attempt(self, key: str, question: Callable[[], T]) -> T | None:
        """The same for any question that raises NvmlError."""
        if self.refused.get(key) in FINAL:
            return None
        try:
            answer = question()
        except NvmlError as error:
            self.note(key, error.code)
            return None
        self.refused.pop(key, None)
        return answer

    def note(self, key: str, code: str) -> None:
        """Remember a refusal. Raises GpuGoneError or LibraryClosedError when it is one."""
        if code in GONE:
            raise GpuGoneError(code)
        if code in CLOSED:
            raise LibraryClosedError(code)
        self.refused[key] = code

    def may(self, key: str) -> bool:
        """Whether asking makes sense."""
        return self.refused.get(key) not in FINAL
