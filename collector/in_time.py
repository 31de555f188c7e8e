"""A source that may hang, such as a driver that never returns, kept from holding the others up.

It is read in a thread of its own, for which the collector waits only so long. A read that comes too late is not lost: its
rows are handed over when it has ended.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from collector.source import Moment, Reading, Source, SourceError

_MEND = "its driver may hang: look at the kernel's log"


@dataclass(slots=True)
class _Read:
    """One read and what came of it. state: of the source just after it"""

    began: Moment
    done: threading.Event
    reading: Reading | None = None
    error: Exception | None = None
    state: bytes = b""


class InTime:
    """A source as another one has it, that answers within `deadline_s` or says that it does not."""

    def __init__(self, source: Source, deadline_s: float, mend: str = _MEND) -> None:
        """mend: what to look at while it hangs."""
        self.name = source.name
        self._source, self._deadline_s, self._mend = source, deadline_s, mend
        self._running: _Read | None = None
        self._state: bytes | None = None

    def read(self, now: Moment) -> Reading:
        """Raises SourceError while the source hangs, else what its own read raised."""
        running = self._running
        if running is None:
            running = self._running = _Read(now, threading.Event())
            # A daemon: one that never returns must not keep the process from ending.
            threading.Thread(target=self._run, args=(running,), name=self.name, daemon=True).start()
            running.done.wait(self._deadline_s)
        if not running.done.is_set():
            waited_s = max((now.steady_ms - running.began.steady_ms) / 1000, self._deadline_s)
            raise SourceError(f"source {self.name} did not answer in {waited_s:.1f} s; {self._mend}")
        self._running = None
        self._state = running.state
        if running.error is not None:
            raise running.error
        assert running.reading is not None, "a read that has ended has a reading or an error"
        return running.reading

    def state(self) -> bytes:
        """As it was after the newest read that was handed over: what hangs may be changing it now."""
        return self._source.state() if self._state is None else self._state

    def restore(self, state: bytes, now: Moment) -> None:
        self._source.restore(state, now)

    def close(self) -> None:
        """One that hangs is left to the end of the process."""
        if self._running is None or self._running.done.is_set():
            self._source.close()

    def _run(self, running: _Read) -> None:
        try:
            running.reading = self._source.read(running.began)
        except Exception as error:  # it is raised where the collector waits for it
            running.error = error
        running.state = self._source.state()
        running.done.set()
