"""One unary gRPC call over a unix socket (gRPC over HTTP/2, PROTOCOL-HTTP2.md in grpc/grpc)."""

from __future__ import annotations

import socket
import struct
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions

_PREFIX = struct.Struct(">?I")
"""Before each message: whether it is compressed, and its length."""
_MAX_BYTES = 16 << 20
"""A kubelet of 250 pods answers 100 kB; more than this is not read."""
_CHUNK = 1 << 16


class GrpcError(Exception):
    """A call without an answer. The message says what came instead."""


def call(path: str, method: str, request: bytes, timeout_s: float) -> bytes:
    """The serialized answer of `method` (`/package.Service/Name`) of the server at a unix socket.

    Raises GrpcError, OSError (no server, no permission, TimeoutError).
    """
    deadline = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(timeout_s)
        link.connect(path)
        exchange = _Exchange(link, deadline)
        try:
            return exchange.run(method, request)
        except h2.exceptions.ProtocolError as error:
            raise GrpcError(f"{path} does not speak HTTP/2: {error!r}") from error


class _Exchange:
    """One request and its answer on a connection of its own."""

    def __init__(self, link: socket.socket, deadline: float) -> None:
        self._link, self._deadline = link, deadline
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self._body = bytearray()
        self._trailers: dict[str, str] = {}
        self._ended = False

    def run(self, method: str, request: bytes) -> bytes:
        http = self._http
        http.initiate_connection()
        stream = http.get_next_available_stream_id()
        http.send_headers(stream, [
            (":method", "POST"), (":scheme", "http"), (":path", method), (":authority", "localhost"),
            ("te", "trailers"), ("content-type", "application/grpc"),
        ])  # fmt: skip
        http.send_data(stream, _PREFIX.pack(False, len(request)) + request, end_stream=True)
        self._link.sendall(http.data_to_send())
        while not self._ended:
            self._receive()
        return self._message()

    def _receive(self) -> None:
        self._link.settimeout(max(self._deadline - time.monotonic(), 0.001))
        data = self._link.recv(_CHUNK)
        if not data:
            raise GrpcError("the server closed the connection before it answered")
        for event in self._http.receive_data(data):
            self._take(event)
        self._link.sendall(self._http.data_to_send())

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.DataReceived):
            self._body += event.data
            if len(self._body) > _MAX_BYTES:
                raise GrpcError(f"the answer is over {_MAX_BYTES} bytes")
            self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
            self._trailers |= {str(name): str(value) for name, value in event.headers}
        elif isinstance(event, h2.events.StreamEnded):
            self._ended = True
        elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
            raise GrpcError(f"the server broke off with HTTP/2 error {event.error_code}")

    def _message(self) -> bytes:
        status, said = self._trailers.get("grpc-status"), self._trailers.get("grpc-message", "")
        if status != "0":
            raise GrpcError(f"the server answers gRPC status {status} (HTTP {self._trailers.get(':status')}) {said!r}")
        if len(self._body) < _PREFIX.size:
            raise GrpcError("the answer has no message")
        compressed, length = _PREFIX.unpack_from(self._body)
        if compressed or len(self._body) != _PREFIX.size + length:
            raise GrpcError(f"the answer is not one plain message of {length} bytes")
        return bytes(self._body[_PREFIX.size :])
