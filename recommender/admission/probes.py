"""What is answered without TLS, where a probe cannot present a certificate: /healthz, /readyz and /metrics alone."""

from __future__ import annotations

from collections.abc import Callable

from recommender.admission.app import Exposition, Receive, Scope, Send, answer_own


class ProbeApp:
    def __init__(self, ready: Callable[[], bool], exposition: Exposition | None) -> None:
        self._ready, self._exposition = ready, exposition

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await answer_own(scope["path"], self._ready, self._exposition, send)
