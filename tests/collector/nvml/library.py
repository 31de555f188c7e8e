"""The test library `nvml.c`: built with gcc, and driven from Python."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping
from pathlib import Path

FACTS_VARIABLE = "NVML_TEST_FACTS"
"""Names the file of facts for a process that finds the library by LD_LIBRARY_PATH."""
_SOURCE = Path(__file__).with_name("nvml.c")


def build(folder: Path) -> Path:
    """libnvidia-ml.so.1 in a folder. Raises OSError without gcc, CalledProcessError when it does not compile."""
    file = folder / "libnvidia-ml.so.1"
    flags = ["-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", f"-Wl,-soname,{file.name}"]
    subprocess.run(["gcc", *flags, "-o", str(file), str(_SOURCE)], check=True)
    return file


class Library:
    """The test library in this process, where pynvml finds it by its name."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._c = ctypes.CDLL(str(file))

    def be(self, facts: Mapping[str, object]) -> None:
        """Become another machine."""
        self._c.test_clear()
        self.set(facts)

    def set(self, facts: Mapping[str, object]) -> None:
        """Change facts; an empty text takes one away."""
        for key, value in facts.items():
            self._c.test_set(key.encode(), str(value).encode())

    @property
    def samples_held(self) -> int:
        """GPM samples that were allocated and not freed."""
        return int(self._c.test_samples_held())
