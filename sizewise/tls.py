"""Serving certificates: a TLS context that takes up a rotated certificate while connections go on.

A context is never replaced, only loaded anew: the next handshake serves the new certificate, and open connections keep
theirs. Whatever fails to load, as a certificate whose key has not been written yet, leaves the one before in use.
"""

from __future__ import annotations

import logging
import os
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

_log = logging.getLogger(__name__)


class TlsError(Exception):
    """A certificate, key or authority that cannot be used. The message names the file and the mend."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its chain, and its private key, as PEM."""

    certificate: bytes
    key: bytes

    @property
    def digest(self) -> bytes:
        return blake2b(self.certificate + b"\0" + self.key, digest_size=16).digest()


class ServingTls:
    """`context` for a server. `client_ca`: PEM file of the authorities whose clients are let in; None: any client."""

    def __init__(self, pair: Pair, client_ca: Path | None = None) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if client_ca is not None:
            self._ask_clients(client_ca)
        self._digest = b""
        self.served = pair
        self.load(pair)

    def load(self, pair: Pair) -> bool:
        """Serve this pair from the next handshake on; False when it is the one that is served. Raises TlsError."""
        if pair.digest == self._digest:
            return False
        _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), pair)  # a failed load would leave the live one without its key
        _load(self.context, pair)
        self._digest, self.served = pair.digest, pair
        return True

    def _ask_clients(self, client_ca: Path) -> None:
        try:
            self.context.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as error:
            raise TlsError(
                f"cannot read client authorities from {client_ca}: {_why(error)}; it is a PEM file"
            ) from error
        self.context.verify_mode = ssl.CERT_REQUIRED


class TlsFiles:
    """A pair of files and the context that follows them. Raises TlsError for what cannot be served at first."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None) -> None:
        self._certificate, self._key = certificate, key
        self._seen = self._stamps()
        self.tls = ServingTls(read_pair(certificate, key), client_ca)

    def refresh(self) -> bool:
        """Whether a new pair was taken up. Files that did not change cost two `stat` calls."""
        stamps = self._stamps()
        if stamps == self._seen:
            return False
        try:
            taken = self.tls.load(read_pair(self._certificate, self._key))
        except TlsError as error:
            _log.warning("%s; the certificate before stays in use", error)
            return False
        self._seen = stamps
        return taken

    def follow(self, stop: threading.Event, interval_s: float) -> None:
        """Look every `interval_s` until `stop`: watching by inotify misses Secrets, whose links are swapped."""
        while not stop.wait(interval_s):
            if self.refresh():
                _log.info("serving the new certificate of %s", self._certificate)

    def _stamps(self) -> tuple[tuple[int, int, int], ...]:
        try:
            found = [file.stat() for file in (self._certificate, self._key)]
        except OSError as error:
            return ((hash(error.strerror), 0, 0),)
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in found)


def read_pair(certificate: Path, key: Path) -> Pair:
    """Raises TlsError."""
    read = []
    for file in (certificate, key):
        try:
            read.append(file.read_bytes())
        except OSError as error:
            raise TlsError(f"cannot read {file}: {error.strerror}; name a PEM file") from error
    return Pair(*read)


def _load(context: ssl.SSLContext, pair: Pair) -> None:
    with ExitStack() as stack:
        certificate, key = (stack.enter_context(_as_file(text)) for text in (pair.certificate, pair.key))
        try:
            context.load_cert_chain(certificate, key, _no_password)
        except (OSError, ssl.SSLError, TlsError) as error:
            raise TlsError(
                f"certificate and key cannot be served: {_why(error)}; both are PEM, the key is not encrypted and is "
                "that of the first certificate"
            ) from error


@contextmanager
def _as_file(text: bytes) -> Iterator[str]:
    """OpenSSL reads files alone. This one is in memory, so that a key is not written anywhere; elsewhere than on Linux
    it is a temporary one of the user's own."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            yield f"/proc/self/fd/{descriptor}"
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()
        yield file.name


def _no_password() -> str:
    """Without it OpenSSL would ask for one at the terminal."""
    raise TlsError("the key is encrypted")


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
