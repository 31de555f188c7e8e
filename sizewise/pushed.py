"""The push receivers, loaded only where settings ask for them: they need numpy and a web server."""

from __future__ import annotations

from collections.abc import Callable

from collector.outbox import Outbox
from collector.settings import CollectorSettings
from collector.source import Source
from models.metrics import Meter
from sizewise.exits import Exit


def pushed(settings: CollectorSettings, meter: Meter) -> Callable[[Outbox], Source] | None:
    """What opens the receivers; None when no address is set. Raises Exit when their packages are missing."""
    if not settings.listen.address:
        return None
    try:
        from collector.listen.source import listening
    except ImportError as error:
        raise Exit(f"--listen needs more packages ({error}): pip install 'sizewise[listen]'") from error
    return listening(settings, meter)
