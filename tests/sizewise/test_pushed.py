"""The push receivers as the command opens them: connections are bounded, and certificates may rotate."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.listen_settings import ListenSettings
from collector.outbox import Outbox
from collector.settings import CollectorSettings
from collector.source import Moment
from deploy.services.process import free_port
from models.metrics import NullMeter
from recommender.adapters.certificates import Made, make
from sizewise.bounded import HEAD_BYTES
from sizewise.exits import Exit
from sizewise.pushed import pushed


def settings_of(folder: Path, port: int = 0) -> CollectorSettings:
    listen = ListenSettings(
        address=f"127.0.0.1:{port}",
        certificate_file=str(folder / "tls.crt"),
        key_file=str(folder / "tls.key"),
        settle_s=10.0,
    )
    return CollectorSettings(outbox=str(folder / "outbox.db"), listen=listen)


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the settings that name it, before anything is collected."""
    with pytest.raises(Exit, match=r"tls\.crt.*collector\.listen\.certificate_file"):
        pushed(settings_of(tmp_path), NullMeter())


def test_a_rotated_certificate_is_taken_up_as_the_source_is_read(tmp_path: Path) -> None:
    """The second authority's certificate is served from the first reading after it was written, settle_s apart."""
    first, second = written(tmp_path), made()
    port = free_port()
    outbox = Outbox(tmp_path / "outbox.db", 1 << 20, NullMeter())
    opened = pushed(settings_of(tmp_path, port), NullMeter())
    assert opened is not None
    source = opened(outbox)
    try:
        source.read(Moment(1_000, 0))
        assert trusts(port, first)
        write(tmp_path, second)
        source.read(Moment(6_000, 5_000))
        assert trusts(port, first)
        source.read(Moment(11_000, 10_000))
        assert trusts(port, second)
        assert not trusts(port, first)
    finally:
        source.close()
        outbox.close()


def test_a_head_that_does_not_end_is_cut_off(tmp_path: Path) -> None:
    """After HEAD_BYTES the server says so and closes, whoever is asking."""
    authority = written(tmp_path)
    port = free_port()
    outbox = Outbox(tmp_path / "outbox.db", 1 << 20, NullMeter())
    opened = pushed(settings_of(tmp_path, port), NullMeter())
    assert opened is not None
    source = opened(outbox)
    try:
        with connected(port, authority) as connection:
            connection.sendall(b"POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * (2 * HEAD_BYTES))
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 400")
    finally:
        source.close()
        outbox.close()


def made() -> Made:
    return make(("localhost", "127.0.0.1"), 30, time.time())


def write(folder: Path, pair: Made) -> None:
    (folder / "tls.crt").write_bytes(pair.certificate)
    (folder / "tls.key").write_bytes(pair.key)


def written(folder: Path) -> Made:
    pair = made()
    write(folder, pair)
    return pair


@contextmanager
def connected(port: int, authority: Made) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cadata=authority.authorities.decode())
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        yield connection


def trusts(port: int, authority: Made) -> bool:
    """Whether what is served now was signed by it."""
    try:
        with connected(port, authority):
            return True
    except ssl.SSLCertVerificationError:
        return False
