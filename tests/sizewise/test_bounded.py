"""What one connection can make a server hold, at the protocol that uvicorn is given, without a network."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from sizewise.bounded import HEAD_BYTES, REQUEST_S, BoundedProtocol


class Timer:
    def __init__(self, seconds: float, then: Callable[[], None]) -> None:
        self.seconds, self.then, self.cancelled = seconds, then, False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """Starts nothing; keeps the timers, of which `running` are not over."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    @property
    def running(self) -> list[Timer]:
        return [timer for timer in self.timers if not timer.cancelled]

    def call_later(self, seconds: float, then: Callable[[], None]) -> Timer:
        self.timers.append(Timer(seconds, then))
        return self.timers[-1]

    def create_task(self, work: Coroutine[Any, Any, None], **more: Any) -> Any:
        work.close()
        return Task()


class Task:
    def add_done_callback(self, then: Any) -> None:
        pass


class Wire:
    """A transport of which nothing goes anywhere."""

    def __init__(self) -> None:
        self.sent, self.closed = b"", False

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def pause_reading(self) -> None:
        pass


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    """Is never run."""


def opened() -> tuple[BoundedProtocol, Wire, Loop]:
    config = uvicorn.Config(nobody, log_config=None, lifespan="off")
    config.load()
    loop, wire = Loop(), Wire()
    protocol = BoundedProtocol(config, ServerState(), {}, loop)  # type: ignore[arg-type]  # as far as it is used
    protocol.connection_made(wire)  # type: ignore[arg-type]
    return protocol, wire, loop


def test_a_head_without_an_end_is_cut_off() -> None:
    """One header that goes on, and many short ones: 400, and the connection is closed at 128 KiB."""
    for piece in (b"a" * 1000, b"X-A: b\r\n" * 125):
        protocol, wire, _ = opened()
        protocol.data_received(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(HEAD_BYTES // 1000):
            assert not wire.closed
            protocol.data_received(piece)
        protocol.data_received(piece)
        assert wire.closed
        assert wire.sent.startswith(b"HTTP/1.1 400")


def test_a_body_is_not_its_head() -> None:
    """4 MiB after a Content-Length are taken, and so are many requests of some KB on one connection."""
    protocol, wire, _ = opened()
    protocol.data_received(b"POST / HTTP/1.1\r\nContent-Length: 4194304\r\n\r\n")
    for _ in range(64):
        protocol.data_received(b"b" * 65536)
    for _ in range(100):
        protocol.data_received(b"GET / HTTP/1.1\r\nX: " + b"c" * 4000 + b"\r\n\r\n")
    assert not wire.closed


def test_trailers_without_an_end_are_cut_off() -> None:
    protocol, wire, _ = opened()
    protocol.data_received(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
    for _ in range(HEAD_BYTES // 1000 + 1):
        protocol.data_received(b"X-A: b\r\n" * 125)
    assert wire.closed


def test_a_request_that_is_not_whole_in_time_is_cut_off() -> None:
    """A timer runs from the connection on, anew from the first byte of a request, and until its last."""
    protocol, wire, loop = opened()
    (idle,) = loop.running
    protocol.data_received(b"GET / HTTP/1.1\r\n")
    (begun,) = loop.running
    assert begun is not idle
    assert begun.seconds == REQUEST_S
    protocol.data_received(b"\r\n")
    assert loop.running == []
    protocol.data_received(b"GET / HTTP/1.1\r\n")
    loop.running[0].then()
    assert wire.closed
    protocol.connection_lost(None)
    assert loop.running == []
