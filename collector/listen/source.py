"""What was pushed, as a source of the collector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from collector.listen.app import App
from collector.listen.intake import Intake
from collector.listen.journal import Journal
from collector.listen.server import Connections, Server
from collector.outbox import Outbox
from collector.service import moment
from collector.settings import CollectorSettings
from collector.source import Moment, Reading, SourceError
from models.metrics import Meter

NAME = "listen"
_FULL = 0.9
"""Share of the outbox from which senders have to wait; over its bound the oldest messages would be dropped."""


class ListenSource:
    """Hands out rows each `settle_s`, and takes up a rotated certificate. Owns the server."""

    name = NAME

    def __init__(
        self,
        intake: Intake,
        server: Server,
        settle_s: float,
        saved: Callable[[], bytes | None],
        refresh: Callable[[], bool],
    ) -> None:
        """`saved` gives the state that is in the outbox; `refresh` looks for a new certificate."""
        self._intake, self._server, self._saved, self._refresh = intake, server, saved, refresh
        self._settle_ms = round(settle_s * 1000)
        self._next_ms = 0

    def read(self, now: Moment) -> Reading:
        if now.steady_ms < self._next_ms:
            return Reading()
        self._next_ms = now.steady_ms + self._settle_ms
        self._refresh()
        made = self._intake.rows(self._saved() or b"")
        return Reading(made.batches, made.events)

    def state(self) -> bytes:
        return self._intake.state()

    def restore(self, state: bytes, now: Moment) -> None:
        """Nothing: `listening` restored it before the first request could come."""

    def close(self) -> None:
        self._server.close()
        self._intake.close()


def listening(settings: CollectorSettings, meter: Meter, connections: Connections) -> Callable[[Outbox], ListenSource]:
    """What `collector.run.collect` opens once it has its outbox: a server that answers until the source is closed.

    Raises SourceError when the address cannot be listened at or the journal not be written."""

    def opened(outbox: Outbox) -> ListenSource:
        listen = settings.listen
        server = Server(listen, connections)

        def room() -> bool:
            return outbox.size_bytes < _FULL * settings.outbox_max_bytes

        def saved() -> bytes | None:
            return outbox.state(f"source/{NAME}")

        journal = Journal(Path(settings.outbox))
        intake = Intake(listen, settings.cluster, meter, lambda: moment().wall_ms, journal, room)
        try:
            intake.restore(saved() or b"")
            server.start(App(intake, listen, meter))
        except OSError as error:
            raise SourceError(f"the journal beside {settings.outbox} cannot be read: {error}") from error
        finally:
            if not server.running():
                server.close()
        return ListenSource(intake, server, listen.settle_s, saved, connections.refresh)

    return opened
