"""How a process that was killed is known at once: it held a lock on a file, and the kernel let go of it.

A lease alone would make every takeover wait 30 s. SQLite's write-ahead log needs all processes on one kernel anyway,
so such a lock means the same to all of them, in other containers too, where a process id would not.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from pathlib import Path

from stream.contract import LogError


class Pulse:
    """A file that is locked while this object and its process live."""

    def __init__(self, folder: Path) -> None:
        self.name = uuid.uuid4().hex
        self._path = folder / self.name
        try:
            folder.mkdir(exist_ok=True)
            self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise LogError(f"{self._path} cannot be made: {error.strerror}; may this user write there?") from error
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def stop(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def has_stopped(folder: Path, name: str) -> bool:
    """Whether the process that held this pulse is gone."""
    try:
        descriptor = os.open(folder / name, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def bury(folder: Path, name: str) -> None:
    """Remove the file of a pulse that has stopped."""
    (folder / name).unlink(missing_ok=True)
