"""The source: the node as Kubernetes has it, and what was known of it while the API does not answer."""

from __future__ import annotations

import msgspec

from collector.in_time import InTime
from collector.kubernetes.api import NodeApi
from collector.kubernetes.node import SOURCE, node_of
from collector.source import Moment, Reading
from models.inventory import Node

_WAIT_S = 0.2
"""How long the other sources wait for an answer: an API server takes 5 to 50 ms. What takes longer is handed over when the
collector comes again."""
_MEND = "the API server may be overloaded, or a NetworkPolicy in the way"
_KEPT_MS = 3_600_000
"""Labels that an earlier process read are told again for so long, until the API answers this one."""


class _State(msgspec.Struct):
    steady_ms: int
    node: Node


class KubernetesNodeSource:
    """Asked every `interval_s`. One that fails is asked whenever the collector comes, which waits longer from failure to
    failure; what was read before stays what is known of the node."""

    name = SOURCE

    def __init__(self, api: NodeApi, cluster: str, node: str, interval_s: float) -> None:
        """node: its name in Kubernetes."""
        self._node, self._interval_ms = node, round(interval_s * 1000)
        self._asked = InTime(_Asked(api, cluster or node, node), _WAIT_S, _MEND)
        self._known: _State | None = None
        self._restored: Node | None = None
        self._next_ms: int | None = None

    def read(self, now: Moment) -> Reading:
        """Nothing while it is not due. Raises SourceError."""
        if self._restored is not None:
            node, self._restored = self._restored, None
            return Reading(node=node)
        if self._next_ms is not None and now.steady_ms < self._next_ms:
            return Reading()
        reading = self._asked.read(now)
        assert reading.node is not None, "an ask that did not fail has a node"
        self._known = _State(now.steady_ms, reading.node)
        self._next_ms = now.steady_ms + self._interval_ms
        return reading

    def state(self) -> bytes:
        return b"" if self._known is None else msgspec.msgpack.encode(self._known)

    def restore(self, state: bytes, now: Moment) -> None:
        """What is told again by the first read; the second one asks."""
        try:
            known = msgspec.msgpack.decode(state, type=_State)
        except msgspec.MsgspecError:
            return
        if known.node.name == self._node and 0 <= now.steady_ms - known.steady_ms <= _KEPT_MS:
            self._known, self._restored = known, known.node

    def close(self) -> None:
        self._asked.close()


class _Asked:
    """One ask per read, for a thread of its own."""

    name = SOURCE

    def __init__(self, api: NodeApi, cluster: str, node: str) -> None:
        self._api, self._cluster, self._node = api, cluster, node

    def read(self, now: Moment) -> Reading:
        return Reading(node=node_of(self._api.get(self._node), self._cluster, self._node, now.wall_ms))

    def state(self) -> bytes:
        return b""

    def restore(self, state: bytes, now: Moment) -> None:
        return None

    def close(self) -> None:
        return None
