"""Whose a GPU is: by the processes on it, and by what the kubelet has granted. What a device says of itself goes to one
workload only; one that several workloads share says it to the machine, and to each of them what is known of it alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from collector.host.files import read_if_there
from collector.host.whose import Instance
from collector.kubelet.grants import Grant
from collector.names.who import PodContainer
from collector.nvml.gpu import Read, Values
from collector.nvml.processes import GpuProcess

_ASK_AGAIN_MS = 10_000
_HELPERS = (b"nvidia-cuda-mps",)
"""Server of MPS: it has a context on behalf of its clients, who are listed too."""


class Whose(Protocol):
    """What `collector.host.whose.Whose` answers."""

    def process(self, pid: int) -> Instance | None: ...

    def container(self, namespace: str, pod: str, container: str) -> Instance | None: ...


class Row(NamedTuple):
    """What is said of one workload instance on one GPU or MIG device."""

    of: Instance
    read: Read
    values: Values
    share: float | None = None
    """Of the device, as the kubelet granted it; None: the whole, or nobody says."""


class _Known(NamedTuple):
    """Whose a process is, and until when this is believed."""

    owner: Instance | None
    helper: bool
    until_ms: int


class Holders:
    """Remembers for some seconds whose a process is: asking reads a file of the kernel."""

    def __init__(self, whose: Whose, machine: Instance, cluster: str, proc: str) -> None:
        """`machine` gets what nobody holds, and what is shared."""
        self._whose, self._machine, self._cluster, self._proc = whose, machine, cluster, proc
        self._known: dict[int, _Known] = {}
        self.hidden = 0
        """Processes on GPUs, in the newest read, that nobody here knows."""

    def rows(self, reads: Sequence[Read], grants: Mapping[str, Sequence[Grant]], now_ms: int) -> list[Row]:
        """`grants` by UUID. Devices first, in their order; then who shares them."""
        self.hidden = 0
        rows = [row for read in reads for row in self._rows(read, grants.get(read.uuid, ()), now_ms)]
        alive = {process.pid for read in reads for process in read.processes or ()}
        self._known = {pid: known for pid, known in self._known.items() if pid in alive}
        return rows

    def _rows(self, read: Read, grants: Sequence[Grant], now_ms: int) -> list[Row]:
        share = {self._granted(grant): grant.share for grant in grants}
        held: dict[Instance, list[GpuProcess]] = {one: [] for one in share}
        hidden = self.hidden
        for process in read.processes or ():
            if (owner := self._owner(process.pid, now_ms)) is not None:
                held.setdefault(owner, []).append(process)
        if not held and (read.processes is None or self.hidden > hidden):
            return [Row(self._machine, read, read.values)]
        sharers = {"gpu_sharers": float(len(held))}
        if len(held) < 2:
            one = next(iter(held), self._machine)
            return [Row(one, read, read.values | sharers, share.get(one))]
        shared = [Row(one, read, _own(processes, read) | sharers, share.get(one)) for one, processes in held.items()]
        split = {signal for row in shared for signal in row.values}
        rest = {signal: value for signal, value in read.values.items() if signal not in split}
        return [Row(self._machine, read, rest | sharers), *shared]

    def _owner(self, pid: int, now_ms: int) -> Instance | None:
        known = self._known.get(pid)
        if known is None or now_ms >= known.until_ms:
            known = self._known[pid] = self._look(pid, now_ms)
        self.hidden += known.owner is None and not known.helper
        return known.owner

    def _look(self, pid: int, now_ms: int) -> _Known:
        helper = (read_if_there(f"{self._proc}/{pid}/comm") or b"").startswith(_HELPERS)
        owner = None if helper else self._whose.process(pid)
        return _Known(owner, helper, now_ms + (_ASK_AGAIN_MS if owner or helper else 0))

    def _granted(self, grant: Grant) -> Instance:
        """By the host source's name; else, before it has one, by what the pod's name tells."""
        found = self._whose.container(grant.namespace, grant.pod, grant.container)
        if found is not None:
            return found
        pod = PodContainer(grant.namespace, grant.pod, grant.container, node=self._machine.instance)
        return Instance(str(pod.workload(self._cluster)), pod.instance)


def _own(processes: Sequence[GpuProcess], read: Read) -> Values:
    """What is known of one of several sharers alone."""
    values: Values = {}
    known = [process.memory_bytes for process in processes if process.memory_bytes is not None]
    if len(known) == len(processes):  # a sharer without a process holds no memory
        values["framebuffer_used_bytes"] = float(sum(known))
    if "framebuffer_total_bytes" in read.values:
        values["framebuffer_total_bytes"] = read.values["framebuffer_total_bytes"]
    if read.busy:
        values["gpu_utilization_ratio"] = min(sum(read.busy.get(process.pid, 0.0) for process in processes), 1.0)
    return values
