"""The NVML source: GPUs and MIG devices of one machine in; telemetry rows, errors and inventory out."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence

import msgspec

from collector.host.whose import Instance
from collector.kubelet.grants import Grant, Grants
from collector.names.who import machine_workload
from collector.nvml.counters import Baselines
from collector.nvml.coverage import SOURCE, Seen, machine_lines, signal_lines, source_of
from collector.nvml.errors import GpuError
from collector.nvml.holders import Holders, Row, Whose
from collector.nvml.refusals import LibraryClosedError, NvmlError, mend
from collector.nvml.session import Session
from collector.settings import CollectorSettings
from collector.source import Moment, Reading
from models.events import WorkloadEvent
from models.inventory import Allocation, Coverage, Node
from models.signals import GPU_SIGNALS
from models.telemetry import TelemetryBatch

_LOOK_AGAIN_MS = 60_000
"""How often the library is opened anew where there is no driver, no GPU, or where a GPU is gone."""
_NODE_MS = 10_000
_NO_GPU = "the driver finds no GPU in this machine; is it in use by a virtual machine, or off the bus?"


class _State(msgspec.Struct, array_like=True):
    """What a restarted collector goes on from: when each GPU was read last, and its counters then, by UUID."""

    steady_ms: int
    read_ms: dict[str, int]
    counters: dict[str, Baselines]


class NvmlSource:
    """Reads the GPUs of one machine. Without a driver it says so once and costs nothing."""

    name = SOURCE

    def __init__(self, settings: CollectorSettings, whose: Whose) -> None:
        """`whose` answers for the same machine, and is read before this source."""
        host = settings.host
        self._node = settings.node or socket.gethostname()
        self._cluster = settings.cluster or self._node
        self._sys, self._max_gap_ms = host.sys, round(settings.max_gap_s * 1000)
        machine = Instance(str(machine_workload(self._cluster, self._node)), self._node)
        self._machine = machine
        self._holders = Holders(whose, machine, self._cluster, host.proc)
        self._grants = Grants(host.root.rstrip("/") + host.kubelet)
        self._session: Session | None = None
        self._why_not = ""
        self._seen = Seen()
        self._next_look_ms = self._next_node_ms = self._newest_ms = 0
        self._rows: Sequence[Row] = ()
        self._remembered: _State | None = None

    def read(self, now: Moment) -> Reading:
        """One row per GPU or MIG device, and per workload that shares it, that was read before."""
        session = self._opened(now)
        if session is None:
            return Reading(node=self._node_if_due(now, None))
        try:
            reads, errors = session.read(now)
        except LibraryClosedError as error:
            self._close(now, error.code)
            return Reading(node=self._node_if_due(now, None, changed=True))
        events = [event for error in errors for event in self._events(error, now)]
        self._newest_ms = now.steady_ms
        self._rows = self._holders.rows(reads, self._granted(now, session), now.steady_ms)
        for row in self._rows:
            self._seen.note(source_of(row.read), row.values)
        return Reading([self._batch(now)], events, self._node_if_due(now, session, changed=bool(errors)))

    def state(self) -> bytes:
        return msgspec.msgpack.encode(self._state())

    def restore(self, state: bytes, now: Moment) -> None:
        try:
            known = msgspec.msgpack.decode(state, type=_State)
        except msgspec.MsgspecError:
            return
        if now.steady_ms > known.steady_ms:  # else of an earlier boot
            self._remembered = known

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _opened(self, now: Moment) -> Session | None:
        """The session; opened, or opened anew, when it is time to look again."""
        incomplete = self._session is None or self._session.lost or not self._session.gpus
        if incomplete and now.steady_ms >= self._next_look_ms:
            self._close(now, "")
            try:
                self._session = Session(self._sys)
            except (NvmlError, LibraryClosedError) as error:
                self._why_not = mend(error.code)
            else:
                self._remember(self._session, now)
        return self._session

    def _close(self, now: Moment, code: str) -> None:
        self._next_look_ms = now.steady_ms + _LOOK_AGAIN_MS
        self._why_not = mend(code) if code else ""
        if self._session is not None:
            self._remembered = self._state()
            self._session.close()
        self._session, self._rows = None, ()

    def _state(self) -> _State:
        gpus = self._session.gpus if self._session else ()
        read_ms = {gpu.facts.uuid: gpu.read_ms for gpu in gpus if gpu.read_ms is not None}
        return _State(self._newest_ms, read_ms, {gpu.facts.uuid: gpu.counters.before for gpu in gpus})

    def _remember(self, session: Session, now: Moment) -> None:
        """Let counters go on from where they were read last, unless that is too long ago for one row."""
        known, self._remembered = self._remembered, None
        if known is None or now.steady_ms - known.steady_ms > self._max_gap_ms:
            return
        for gpu in session.gpus:
            gpu.read_ms = known.read_ms.get(gpu.facts.uuid)
            gpu.counters.before = known.counters.get(gpu.facts.uuid, {})

    def _granted(self, now: Moment, session: Session) -> dict[str, list[Grant]]:
        """By UUID. The DRA driver names a whole GPU after its minor number."""
        by_name = {f"gpu-{gpu.facts.minor}": gpu.facts.uuid for gpu in session.gpus}
        found: dict[str, list[Grant]] = {}
        for grant in self._grants.read(now.steady_ms):
            found.setdefault(by_name.get(grant.device, grant.device), []).append(grant)
        return found

    def _events(self, error: GpuError, now: Moment) -> Iterator[WorkloadEvent]:
        """One for each workload on what failed; the machine's when there was none."""
        hit = (
            row.of
            for row in self._rows
            if row.read.gpu.uuid == error.uuid and error.gpu_instance in (None, row.read.gpu_instance)
        )
        for workload, instance in dict.fromkeys(hit) or (self._machine,):
            details = {"gpu": error.uuid, **error.details}
            yield WorkloadEvent("gpu-error", workload, instance, self._node, now.wall_ms, details)

    def _batch(self, now: Moment) -> TelemetryBatch:
        rows = [(row, row.read.span_ms) for row in self._rows if row.read.span_ms is not None]
        keys = {
            "workload": [row.of.workload for row, _ in rows],
            "instance": [row.of.instance for row, _ in rows],
            "gpu_uuid": [row.read.uuid for row, _ in rows],
            "gpu_model": [row.read.gpu.model for row, _ in rows],
            "mig_profile": [row.read.mig_profile for row, _ in rows],
        }
        known = {signal for row, _ in rows for signal in row.values}
        signals = {s.name: [row.values.get(s.name) for row, _ in rows] for s in GPU_SIGNALS if s.name in known}
        return TelemetryBatch("gpu", keys, [now.wall_ms] * len(rows), [span for _, span in rows], signals)

    def _node_if_due(self, now: Moment, session: Session | None, *, changed: bool = False) -> Node | None:
        if not changed and now.steady_ms < self._next_node_ms:
            return None
        self._next_node_ms = now.steady_ms + _NODE_MS
        return Node(
            self._cluster,
            self._node,
            now.wall_ms,
            gpus=session.inventory() if session else (),
            allocations=tuple(self._allocations()),
            coverage=tuple(self._coverage(session)),
        )

    def _allocations(self) -> Iterator[Allocation]:
        held: dict[Instance, dict[str, float | None]] = {}
        for row in self._rows:
            if row.of != self._machine:
                held.setdefault(row.of, {})[row.read.uuid] = row.share
        for (workload, instance), shares in held.items():
            known = [share for share in shares.values() if share is not None]
            share = max(known) if len(known) == len(shares) else None
            yield Allocation(workload, instance, gpu_uuids=tuple(shares), gpu_share_ratio=share)

    def _coverage(self, session: Session | None) -> Iterator[Coverage]:
        if session is None or not (session.gpus or session.lost):
            yield Coverage(SOURCE, "*", False, self._why_not or _NO_GPU)
            return
        yield from signal_lines(session.gpus, self._seen)
        yield from machine_lines(
            session.lost, session.xid_refusal, session.gpus, self._holders.hidden, self._grants.error
        )
