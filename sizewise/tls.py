"""Serving certificates: a TLS context that takes up a rotated certificate, or authorities of clients, while connections go on.

A server keeps the context that it was given; that one hands each handshake to the newest. Open connections keep theirs.
Whatever fails to load, as a certificate whose key has not been written yet, leaves what was before in use.
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
    """`context` for a server: each handshake is made by what was loaded last. `client_ca`: PEM file of the authorities whose
    clients are let in; None: any client. `insist`: whether who shows no certificate is turned away."""

    def __init__(self, pair: Pair, client_ca: Path | None = None, insist: bool = True) -> None:
        self._client_ca = client_ca
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.sni_callback = self._take_newest
        if client_ca is not None:
            self.context.verify_mode = ssl.CERT_REQUIRED if insist else ssl.CERT_OPTIONAL
            self._resume_none()
        self._digest = b""
        self.served = pair
        self.load(pair)

    def load(self, pair: Pair) -> bool:
        """Serve this pair, and ask for clients of the authorities that the file names now, from the next handshake on; False
        when nothing is new. Raises TlsError, and what was served before goes on."""
        authorities = None if self._client_ca is None else _read(self._client_ca)
        digest = pair.digest + (authorities or b"")
        if digest == self._digest:
            return False
        newest = _context(pair, authorities)
        newest.verify_mode = self.context.verify_mode  # Python tells of a peer's certificate by the context in use
        self._newest = newest
        self._digest, self.served = digest, pair
        return True

    def _resume_none(self) -> None:
        """A session that is resumed is not verified again: its client would outlive its authority."""
        self.context.num_tickets = 0
        self.context.options |= ssl.OP_NO_TICKET

    def _take_newest(self, connection: ssl.SSLObject, name: str, context: ssl.SSLContext) -> None:
        """Called by OpenSSL with each client's greeting, whether it names a server or not."""
        connection.context = self._newest


class TlsFiles:
    """Files and the context that follows them. Raises TlsError for what cannot be served at first."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None, insist: bool = True) -> None:
        self._certificate, self._key = certificate, key
        self._files = [file for file in (certificate, key, client_ca) if file is not None]
        self._seen = self._stamps()
        self.tls = ServingTls(read_pair(certificate, key), client_ca, insist)

    def refresh(self) -> bool:
        """Whether something new was taken up. Files that did not change cost a `stat` call each."""
        stamps = self._stamps()
        if stamps == self._seen:
            return False
        try:
            taken = self.tls.load(read_pair(self._certificate, self._key))
        except TlsError as error:
            _log.warning("%s; what was before stays in use", error)
            return False
        self._seen = stamps
        return taken

    def follow(self, stop: threading.Event, interval_s: float) -> None:
        """Look every `interval_s` until `stop`: watching by inotify misses Secrets, whose links are swapped."""
        while not stop.wait(interval_s):
            if self.refresh():
                _log.info("serving by what is in %s now", ", ".join(map(str, self._files)))

    def _stamps(self) -> tuple[tuple[int, int, int], ...]:
        try:
            found = [file.stat() for file in self._files]
        except OSError as error:
            return ((hash(error.strerror), 0, 0),)
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in found)


def read_pair(certificate: Path, key: Path) -> Pair:
    """Raises TlsError."""
    return Pair(_read(certificate), _read(key))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise TlsError(f"cannot read {file}: {error.strerror}; name a PEM file") from error


def _context(pair: Pair, authorities: bytes | None) -> ssl.SSLContext:
    """What handshakes need: a certificate to show, and authorities to verify by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, pair)
    if authorities is not None:
        try:
            context.load_verify_locations(cadata=authorities.decode("ascii", "replace"))
        except (ValueError, ssl.SSLError) as error:
            raise TlsError(f"client authorities cannot be read: {_why(error)}; they are PEM") from error
    return context


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
