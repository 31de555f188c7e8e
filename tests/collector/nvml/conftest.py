"""The test library, built once, and a source that reads it on a recorded Kubernetes node."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from collector.host.source import HostSource
from collector.host.whose import Instance
from collector.nvml.source import NvmlSource
from collector.source import Moment, Reading
from tests.collector.nvml.library import Library, build
from tests.collector.recorded import RecordedMachine, later


@pytest.fixture(scope="session")
def library_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """libnvidia-ml.so.1 in a folder of its own."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not on PATH: it builds the NVML library that these tests read")
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def library(library_file: Path) -> Iterator[Library]:
    opened = Library(library_file)
    opened.be({})
    yield opened
    opened.be({})


class Node:
    """A node whose GPUs are the test library's; time passes when it is read."""

    def __init__(self, library: Library, files: RecordedMachine, host: HostSource | None) -> None:
        self.library, self._files, self._host = library, files, host
        self.write = files.write
        """Writes a file of the recorded node."""
        self.source = self.fresh_source()
        self.ms = 0

    def fresh_source(self) -> NvmlSource:
        """As a restarted collector makes it."""
        return NvmlSource(self._files.settings(), self._host.whose if self._host else Nobodys())

    @property
    def now(self) -> Moment:
        return later(self.ms)

    def read(self, after_ms: int = 1_000, **changes: object) -> Reading:
        """Let time pass, change facts (`gpu__0__power_mw` for `gpu.0.power_mw`), read the host and then the GPUs."""
        self.ms += after_ms
        self.library.set({"clock_ms": self.ms} | {key.replace("__", "."): value for key, value in changes.items()})
        if self._host:
            self._host.read(self.now)
        return self.source.read(self.now)

    def text(self, path: str) -> str:
        """A file of the recorded node."""
        return (self._files.root / path).read_text()

    def close(self) -> None:
        self.source.close()
        if self._host:
            self._host.close()
        assert self.library.samples_held == 0


class Nobodys:
    """No process and no container is anybody's."""

    def process(self, pid: int) -> Instance | None:
        return None

    def container(self, namespace: str, pod: str, container: str) -> Instance | None:
        return None


@pytest.fixture
def node(library: Library, tmp_path: Path) -> Iterator[Callable[[Mapping[str, object]], Node]]:
    """Makes a recorded Kubernetes node (cgroup v2) with the GPUs that the facts tell of; one in a test."""
    made: list[Node] = []

    def make(facts: Mapping[str, object]) -> Node:
        library.be(facts)
        machine = RecordedMachine.load("kubernetes-v2-systemd", tmp_path)
        made.append(Node(library, machine, machine.source()))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def bare(library: Library, tmp_path: Path) -> Iterator[Callable[[Mapping[str, object]], Node]]:
    """The same without the node around the GPUs: everything is the machine's. As many in a test as it likes."""
    made: list[Node] = []

    def make(facts: Mapping[str, object]) -> Node:
        for one in made:
            one.close()
        library.be(facts)
        made[:] = [Node(library, RecordedMachine(tmp_path), None)]
        return made[0]

    yield make
    for one in made:
        one.close()
