"""The push receivers, loaded only where settings ask for them: they need numpy and a web server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from collector.listen_settings import ListenSettings
from collector.outbox import Outbox
from collector.settings import CollectorSettings
from collector.source import Source
from models.metrics import Meter
from sizewise.exits import Exit
from sizewise.tls import TlsError, TlsFiles


def pushed(settings: CollectorSettings, meter: Meter) -> Callable[[Outbox], Source] | None:
    """What opens the receivers; None when no address is set. Raises Exit when their packages are missing, or when what they
    should serve by cannot be read."""
    if not settings.listen.address:
        return None
    try:
        from collector.listen.server import Connections
        from collector.listen.source import listening
        from sizewise.bounded import BoundedProtocol
    except ImportError as error:
        raise Exit(f"--listen needs more packages ({error}): pip install 'sizewise[listen]'") from error
    tls = _certificate(settings.listen)
    connections = Connections(BoundedProtocol)
    if tls is not None:
        connections = Connections(BoundedProtocol, tls.tls.context, tls.refresh)
    return listening(settings, meter, connections)


def _certificate(settings: ListenSettings) -> TlsFiles | None:
    if not settings.certificate_file:
        return None
    try:
        return TlsFiles(Path(settings.certificate_file), Path(settings.key_file or settings.certificate_file))
    except TlsError as error:
        raise Exit(f"{error}; see collector.listen.certificate_file and key_file") from error
