"""The application behind uvicorn, in a thread of its own."""

from __future__ import annotations

import socket
import threading
from typing import Any

import uvicorn

from collector.listen_settings import ListenSettings
from collector.source import SourceError

_STOP_S = 5
_IDLE_CONNECTION_S = 120
"""Senders keep connections between scrapes, which are a minute apart in the slowest usual set-up."""


class Server:
    """Listens from its making on; `start` begins to answer. `close` finishes requests under way, for at most 5 s."""

    def __init__(self, settings: ListenSettings) -> None:
        """Raises SourceError when the address is taken or cannot be listened at."""
        self._socket = _bound(settings)
        self._settings = settings
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def start(self, app: Any) -> None:
        """Answer with an ASGI application."""
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=_IDLE_CONNECTION_S,
            timeout_graceful_shutdown=_STOP_S,
            ssl_certfile=self._settings.certificate_file or None,
            ssl_keyfile=self._settings.key_file or None,
        )
        try:
            config.load()
        except OSError as error:
            raise SourceError(
                f"the certificate cannot be read: {error}; see collector.listen.certificate_file"
            ) from error
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
    except OSError as error:
        listener.close()
        mend = "choose another with --listen"
        raise SourceError(f"cannot listen at {settings.address}: {error.strerror}; {mend}") from error
    return listener
