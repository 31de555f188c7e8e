"""Keeps a serving certificate of sizewise's own making: made, shared, trusted, served, and replaced in time."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from recommender.adapters.certificates import CertificateError, Made, is_due, make
from recommender.adapters.kubernetes.client import KubernetesError
from sizewise.tls import Pair, ServingTls, TlsError

_TRIES = 5
_FILES = ("tls.crt", "tls.key", "ca.crt")
_log = logging.getLogger(__name__)


class Store(Protocol):
    """Where a certificate is kept. `read` then `write` is one exchange: `write` is False when another was faster."""

    def read(self) -> Made | None: ...

    def write(self, made: Made) -> bool: ...


@dataclass(frozen=True, slots=True)
class FolderStore:
    """Three files of one process. The key is the user's alone."""

    folder: Path

    def read(self) -> Made | None:
        try:
            return Made(*((self.folder / name).read_bytes() for name in _FILES))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TlsError(f"cannot read certificates in {self.folder}: {error.strerror}") from error

    def write(self, made: Made) -> bool:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name, text in zip(_FILES, (made.certificate, made.key, made.authorities), strict=True):
                self._write(self.folder / name, text)
        except OSError as error:
            raise TlsError(
                f"cannot keep certificates in {self.folder}: {error.strerror}; name another folder in "
                "webhook.tls.made_in"
            ) from error
        return True

    def _write(self, file: Path, text: bytes) -> None:
        fresh = file.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(text)
        fresh.replace(file)


class SelfMade:
    """`trust` tells clients of the authorities before a certificate of theirs is served."""

    def __init__(
        self,
        store: Store,
        trust: Callable[[bytes], None],
        names: Sequence[str],
        days: int,
        now_s: Callable[[], float],
        client_ca: Path | None = None,
    ) -> None:
        """Raises TlsError or KubernetesError when no certificate can be had."""
        self._store, self._trust, self._names, self._days, self._now_s = store, trust, names, days, now_s
        self.made = self._current()
        self.tls = ServingTls(Pair(self.made.certificate, self.made.key), client_ca)
        self._tell()

    def refresh(self) -> None:
        """Take up what another replica has made, or make anew what is due. What fails is tried again next time."""
        try:
            made = self._current()
            if made != self.made and self._tell(made):
                self.tls.load(Pair(made.certificate, made.key))
                self.made = made
                _log.info("serving a new certificate of our own")
            elif made == self.made:
                self._tell()
                self.tls.load(self.tls.served)  # for the authorities of clients, which others make
        except (TlsError, KubernetesError, CertificateError) as error:
            _log.warning("the certificate in use stays: %s", error)

    def _current(self) -> Made:
        """What is kept, or a new one where that is due."""
        for _ in range(_TRIES):
            kept = self._store.read()
            if kept is not None and not self._due(kept):
                return kept
            fresh = make(self._names, self._days, self._now_s(), kept)
            if self._store.write(fresh):
                return fresh
        raise TlsError(
            f"another process kept changing the certificate during {_TRIES} tries; is there a second cluster?"
        )

    def _due(self, kept: Made) -> bool:
        try:
            return is_due(kept.certificate, self._names, self._now_s())
        except CertificateError as error:
            _log.warning("the certificate that is kept cannot be read and is made anew: %s", error)
            return True

    def _tell(self, made: Made | None = None) -> bool:
        """Whether clients know the authorities. One that does not know them yet fails open, so the first is served all
        the same."""
        try:
            self._trust((made or self.made).authorities)
        except KubernetesError as error:
            _log.warning("%s; trying again", error)
            return False
        return True
