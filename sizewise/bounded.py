"""HTTP connections on which nobody can make the server hold what it did not ask for; uvicorn bounds neither of the two."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 128 * 1024
"""Request line, headers, framing and trailers of one request. The longest honest one has a feed's cursor of 64 KiB."""
REQUEST_S = 30.0
"""From the first byte of a request to its last. 4 MiB take as long at 1 Mbit/s."""


class BoundedProtocol(HttpToolsProtocol):
    """A head over HEAD_BYTES, a request that is not whole after REQUEST_S, and a connection on which none was begun are cut
    off, before anything looks at who asks."""

    _apart_from_body = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._await_within(max(REQUEST_S, self.timeout_keep_alive))

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._apart_from_body += len(data)
        super().data_received(data)
        if self._apart_from_body > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of this request is too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_within(REQUEST_S)

    def on_body(self, body: bytes) -> None:
        self._apart_from_body -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._apart_from_body = 0
        self._done()
        super().on_message_complete()

    def _await_within(self, seconds: float) -> None:
        self._done()
        self._timer = self.loop.call_later(seconds, self.transport.close)

    def _done(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
