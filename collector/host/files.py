"""Small files of the kernel, read again and again: kept open, because opening costs six times a read."""

from __future__ import annotations

import os
import resource
from typing import Final, Union

_CHUNK: Final = 4096
_SPARE_DESCRIPTORS = 200
"""Left for the log, the outbox and everything else."""


File = Union["KeptFile", "ReopenedFile"]


class KeptFile:
    """One file whose content changes. `read` is one system call."""

    __slots__ = ("_descriptor", "_files")

    def __init__(self, descriptor: int, files: KeptFiles) -> None:
        self._descriptor, self._files = descriptor, files

    def read(self) -> bytes:
        """The whole content. Raises OSError once what it described is gone (ENODEV of a cgroup, ESRCH of a process)."""
        data = os.pread(self._descriptor, _CHUNK, 0)
        return data if len(data) < _CHUNK else self._with_rest(data)

    def close(self) -> None:
        os.close(self._descriptor)
        self._files.release()

    def _with_rest(self, data: bytes) -> bytes:
        while more := os.pread(self._descriptor, _CHUNK, len(data)):
            data += more
        return data


class ReopenedFile:
    """The same when there are no descriptors to spare: three system calls a read."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def read(self) -> bytes:
        """As KeptFile.read; raises FileNotFoundError when it is gone."""
        return read_file(self._path)

    def close(self) -> None:
        """Nothing is open between reads."""


class KeptFiles:
    """Hands out files to be read again. Above `limit` descriptors a file is opened for each read instead."""

    def __init__(self, limit: int | None = None) -> None:
        """None: as many as the process may have, less a few."""
        self._free = descriptor_limit() - _SPARE_DESCRIPTORS if limit is None else limit

    def open(self, path: str) -> KeptFile | ReopenedFile | None:
        """The file, or None when it is not there or may not be read."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        if self._free > 0:
            self._free -= 1
            return KeptFile(descriptor, self)
        os.close(descriptor)
        return ReopenedFile(path)

    def release(self) -> None:
        """A kept file was closed."""
        self._free += 1


def descriptor_limit() -> int:
    """How many files this process may have open now."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def raise_descriptor_limit(wanted: int = 16_384) -> None:
    """Lift the soft limit, as far as the hard one allows: 200 containers are 2,000 kept files and the usual soft
    limit is 1,024. For the start of a process that collects."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < target:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))


def read_file(path: str) -> bytes:
    """A small file, whole. Three times as fast as Path.read_bytes. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(descriptor, _CHUNK)
        if len(data) == _CHUNK:
            while more := os.read(descriptor, 16 * _CHUNK):
                data += more
        return data
    finally:
        os.close(descriptor)


def read_if_there(path: str) -> bytes | None:
    """The file, or None when it is not there or may not be read."""
    try:
        return read_file(path)
    except OSError:
        return None
