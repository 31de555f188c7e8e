"""Network counters. The kernel keeps them per network namespace: a pod has its own, a plain process shares the host's."""

from __future__ import annotations

import os

from collector.host import parse
from collector.host.cgroup import NO_TRAFFIC, Traffic
from collector.host.files import File, KeptFiles


class Namespaces:
    """Network namespaces other than the host's, each read once a round however many containers share it."""

    def __init__(self, proc: str, files: KeptFiles) -> None:
        self._proc, self._files = proc, files
        self._host = self._link(1) or self._link("self")
        self._open: dict[str, File] = {}
        self._round: dict[str, Traffic] = {}

    @property
    def visible(self) -> bool:
        """Whether the host's own namespace is known: without it nothing can be told apart."""
        return self._host is not None

    def of(self, pids: list[int]) -> str | None:
        """The namespace of these processes, ready to be read; None when it is the host's or none can be seen."""
        for pid in pids:
            link = self._link(pid)
            if link is None:
                continue
            if link == self._host or self._host is None:
                return None
            if link not in self._open and (file := self._files.open(f"{self._proc}/{pid}/net/dev")):
                self._open[link] = file
            return link if link in self._open else None
        return None

    def start_round(self) -> None:
        self._round = {}

    def traffic(self, namespace: str | None) -> Traffic:
        """Bytes (received, sent) since the namespace was made; (None, None) when it is not to be seen."""
        if namespace is None:
            return NO_TRAFFIC
        known = self._round.get(namespace)
        if known is None:
            known = self._round[namespace] = self._read(namespace)
        return known

    def keep(self, used: set[str]) -> None:
        """Close the others: an open file would keep a namespace alive after its pod."""
        for link in self._open.keys() - used:
            self._open.pop(link).close()

    def _read(self, namespace: str) -> Traffic:
        file = self._open.get(namespace)
        if file is None:
            return NO_TRAFFIC
        try:
            return parse.net_dev(file.read())
        except (OSError, ValueError):
            self._open.pop(namespace).close()
            return NO_TRAFFIC

    def _link(self, pid: int | str) -> str | None:
        try:
            return os.readlink(f"{self._proc}/{pid}/ns/net")
        except OSError:
            return None
