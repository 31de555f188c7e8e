"""The application behind uvicorn, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import uvicorn

from collector.listen_settings import ListenSettings
from collector.source import SourceError

_STOP_S = 5
_IDLE_CONNECTION_S = 120
"""Senders keep connections between scrapes, which are a minute apart in the slowest usual set-up."""


def _nothing_new() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Connections:
    """How connections are made. protocol: reads HTTP from them; None: uvicorn's own. tls: None for plain HTTP. refresh: takes
    up a rotated certificate, and whether there was one; called each settle_s."""

    protocol: type[asyncio.Protocol] | None = None
    tls: ssl.SSLContext | None = None
    refresh: Callable[[], bool] = _nothing_new


class Server:
    """Listens from its making on; `start` begins to answer. `close` finishes requests under way, for at most 5 s."""

    def __init__(self, settings: ListenSettings, connections: Connections) -> None:
        """Raises SourceError when the address is taken or cannot be listened at."""
        self._socket = _bound(settings)
        self._connections = connections
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def start(self, app: Any) -> None:
        """Answer with an ASGI application."""
        tls = self._connections.tls
        config = uvicorn.Config(
            app,
            http=self._connections.protocol or "auto",
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=_IDLE_CONNECTION_S,
            timeout_graceful_shutdown=_STOP_S,
            ssl_context_factory=None if tls is None else lambda *_: tls,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="listen")
        self._thread.start()

    def running(self) -> bool:
        return self._thread is not None

    def close(self) -> None:
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join()
        self._socket.close()


def _bound(settings: ListenSettings) -> socket.socket:
    host, port = settings.host_port
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # who connects before the server answers waits instead of being refused
    except OSError as error:
        listener.close()
        mend = "choose another with --listen"
        raise SourceError(f"cannot listen at {settings.address}: {error.strerror}; {mend}") from error
    return listener
