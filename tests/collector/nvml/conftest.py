"""The test library, built once, and a source that reads it on a recorded Kubernetes node."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from collector.host.source import HostSource
from collector.nvml.source import NvmlSource
from collector.source import Moment, Reading
from tests.collector.recorded import RecordedMachine, later


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


@pytest.fixture(scope="session")
def library_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """libnvidia-ml.so.1 in a folder of its own."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not on PATH: it builds the NVML library that these tests read")
    file = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    source = Path(__file__).with_name("nvml.c")
    flags = ["-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", f"-Wl,-soname,{file.name}"]
    subprocess.run(["gcc", *flags, "-o", str(file), str(source)], check=True)
    return file


@pytest.fixture
def library(library_file: Path) -> Iterator[Library]:
    opened = Library(library_file)
    opened.be({})
    yield opened
    opened.be({})


class Node:
    """A recorded node whose GPUs are the test library's; time passes when it is read."""

    def __init__(self, library: Library, machine: RecordedMachine) -> None:
        self.library, self.machine = library, machine
        self.host = HostSource(machine.settings())
        self.source = NvmlSource(machine.settings(), self.host.whose)
        self.ms = 0

    @property
    def now(self) -> Moment:
        return later(self.ms)

    def read(self, after_ms: int = 1_000, **changes: object) -> Reading:
        """Change facts (`gpu__0__power_mw` for `gpu.0.power_mw`), let time pass, read both sources."""
        self.ms += after_ms
        self.library.set({"clock_ms": self.ms} | {key.replace("__", "."): value for key, value in changes.items()})
        self.host.read(self.now)
        return self.source.read(self.now)

    def close(self) -> None:
        self.source.close()
        self.host.close()


@pytest.fixture
def node(library: Library, tmp_path: Path) -> Iterator[Callable[[Mapping[str, object]], Node]]:
    """Makes a Kubernetes node (cgroup v2) with the GPUs that the facts tell of."""
    made: list[Node] = []

    def make(facts: Mapping[str, object]) -> Node:
        library.be(facts)
        made.append(Node(library, RecordedMachine.load("kubernetes-v2-systemd", tmp_path)))
        return made[-1]

    yield make
    for one in made:
        one.close()
    assert library.samples_held == 0
