"""Tells the application which client certificate a connection was opened with; uvicorn does not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sizewise.bounded import BoundedProtocol


class PeerProtocol(BoundedProtocol):
    """`scope["state"]["certificate"]`: common name of the client certificate that TLS has verified; absent without one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        name = common_name(transport.get_extra_info("peercert") or {})
        if name:
            self.app_state = {**self.app_state, "certificate": name}


def common_name(certificate: Mapping[str, Any]) -> str:
    """Of the subject of a certificate as `ssl` decodes it; empty when it has none, or several."""
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return names[0] if len(names) == 1 else ""
