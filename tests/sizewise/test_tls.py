"""A TLS context that takes up a rotated certificate."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recommender.adapters.certificates import CertificateError, Made, expires_s, is_due, make
from recommender.adapters.kubernetes.client import KubernetesError
from sizewise.self_made import FolderStore, SelfMade
from sizewise.tls import Pair, ServingTls, TlsError, TlsFiles
from tests.recommender.access.authority import Authority

DAY_S = 86_400.0
NOW_S = 1_900_000_000.0
NAMES = ("localhost", "127.0.0.1")


def test_a_rotated_pair_is_served_and_open_connections_go_on(tmp_path: Path) -> None:
    """The same context: the next handshake gets the new certificate, by the new authority alone."""
    first, second = made_now(), made_now()
    files = _written(tmp_path, first)
    with serving(files.tls.context) as port:
        assert served(port, first)
        assert not served(port, second)
        assert not files.refresh(), "nothing changed"
        _write(tmp_path, second)
        assert files.refresh()
        assert served(port, second)
        assert not served(port, first)


def test_a_pair_that_does_not_match_leaves_the_one_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The certificate is written, its key not yet; once it is, both are taken up."""
    first, second = made_now(), made_now()
    files = _written(tmp_path, first)
    with serving(files.tls.context) as port:
        _replace(tmp_path / "tls.crt", second.certificate)
        assert not files.refresh()
        assert "stays in use" in caplog.text
        assert served(port, first)
        _replace(tmp_path / "tls.key", second.key)
        assert files.refresh()
        assert served(port, second)


def test_files_that_cannot_be_served_at_first_are_an_error(tmp_path: Path) -> None:
    """It names the file, or what is wrong with both."""
    with pytest.raises(TlsError, match=r"cannot read .*tls\.crt"):
        TlsFiles(tmp_path / "tls.crt", tmp_path / "tls.key")
    with pytest.raises(TlsError, match="both are PEM"):
        ServingTls(Pair(b"x", b"y"))


def test_clients_may_be_asked_for_a_certificate(tmp_path: Path) -> None:
    """Who has none is turned away."""
    made = made_now()
    (tmp_path / "ca.crt").write_bytes(made.authorities)
    with serving(ServingTls(Pair(made.certificate, made.key), tmp_path / "ca.crt").context) as port:
        assert not served(port, made)


@pytest.mark.parametrize("insist", [True, False])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_authorities_of_clients_are_taken_up_and_given_up(
    tmp_path: Path, insist: bool, version: ssl.TLSVersion
) -> None:
    """Of two authorities: first one is let in, then both, then the other alone; rubbish changes nothing. No session of an
    authority that is gone is resumed. Who shows nothing is served where nobody insists."""
    ours, old, new = made_now(), Authority(tmp_path / "old", "old"), Authority(tmp_path / "new", "new")
    _write(tmp_path, ours)
    authorities = tmp_path / "clients.crt"
    authorities.write_bytes(old.file.read_bytes())
    files = TlsFiles(tmp_path / "tls.crt", tmp_path / "tls.key", authorities, insist)
    with serving(files.tls.context) as port:
        before, after = (Client(port, ours, own, version) for own in (old, new))
        assert (before.served(), after.served()) == (True, False)
        _replace(authorities, old.file.read_bytes() + new.file.read_bytes())
        assert files.refresh()
        assert (before.served(), after.served()) == (True, True)
        _replace(authorities, b"rubbish")
        assert not files.refresh()
        assert (before.served(), after.served()) == (True, True)
        _replace(authorities, new.file.read_bytes())
        assert files.refresh()
        assert (before.served(), after.served()) == (False, True)
        assert served(port, ours) is not insist


def test_a_certificate_of_our_own_is_due_at_two_thirds_of_its_life() -> None:
    """90 days and an hour before: at 60 days it is, at 59 not; at once when it lacks a name."""
    made = make(NAMES, 90, NOW_S)
    assert not is_due(made.certificate, NAMES, NOW_S + 59 * DAY_S)
    assert is_due(made.certificate, NAMES, NOW_S + 60 * DAY_S)
    assert is_due(made.certificate, (*NAMES, "new.example.org"), NOW_S)
    assert expires_s(made.certificate) == NOW_S + 90 * DAY_S


def test_our_own_is_kept_renewed_and_trusted_before_it_is_served(tmp_path: Path) -> None:
    """Started twice it is the same; when due a new one comes, and both authorities are told first; the authority before
    the last is forgotten."""
    told: list[bytes] = []
    clock = [NOW_S]
    first, second = (_self_made(tmp_path, told, clock) for _ in range(2))
    assert first.made == second.made
    assert ((tmp_path / "tls.key").stat().st_mode & 0o777) == 0o600
    old = first.made
    clock[0] += 61 * DAY_S
    first.refresh()
    assert first.made != old
    assert first.made.authorities.endswith(old.authorities)
    assert told[-1] == first.made.authorities
    second.refresh()
    assert second.made == first.made
    clock[0] += 61 * DAY_S
    first.refresh()
    assert first.made.authorities.count(b"BEGIN CERTIFICATE") == 2
    assert old.authorities not in first.made.authorities


def test_a_new_certificate_that_nobody_trusts_yet_is_not_served(tmp_path: Path) -> None:
    """Kubernetes is away: the old one goes on until the new authority could be told."""
    away = [False]

    def trust(authorities: bytes) -> None:
        if away[0]:
            raise KubernetesError("away")

    clock = [NOW_S]
    kept = SelfMade(FolderStore(tmp_path), trust, NAMES, 90, lambda: clock[0])
    old, away[0] = kept.made, True
    clock[0] += 61 * DAY_S
    kept.refresh()
    assert kept.made == old
    away[0] = False
    kept.refresh()
    assert kept.made != old


def test_what_is_kept_and_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    """Rather than to serve nothing."""
    for name in ("tls.crt", "tls.key", "ca.crt"):
        (tmp_path / name).write_text("rubbish")
    with pytest.raises(CertificateError, match="no certificate in PEM form"):
        expires_s(b"rubbish")
    assert b"BEGIN CERTIFICATE" in _self_made(tmp_path, [], [NOW_S]).made.certificate


def made_now() -> Made:
    return make(NAMES, 1, time.time())


def _self_made(folder: Path, told: list[bytes], clock: list[float]) -> SelfMade:
    return SelfMade(FolderStore(folder), told.append, NAMES, 90, lambda: clock[0])


def _written(folder: Path, made: Made) -> TlsFiles:
    _write(folder, made)
    return TlsFiles(folder / "tls.crt", folder / "tls.key")


def _write(folder: Path, made: Made) -> None:
    _replace(folder / "tls.crt", made.certificate)
    _replace(folder / "tls.key", made.key)


def _replace(file: Path, text: bytes) -> None:
    """A new file in the place of the old, as a Secret's are."""
    fresh = file.with_suffix(".fresh")
    fresh.write_bytes(text)
    fresh.replace(file)


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[int]:
    """A server that shakes hands and says `hello`."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)

        def run() -> None:
            while not stop.is_set():
                try:
                    plain, _ = listener.accept()
                    with plain, context.wrap_socket(plain, server_side=True) as connection:
                        connection.sendall(b"hello")
                except OSError:
                    continue

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            thread.join()


class Client:
    """Shows a certificate, and resumes its session where the server lets it."""

    def __init__(self, port: int, server: Made, own: Authority, version: ssl.TLSVersion) -> None:
        self._port = port
        self._session: ssl.SSLSession | None = None
        self._context = ssl.create_default_context(cadata=server.authorities.decode())
        self._context.maximum_version = version
        self._context.load_cert_chain(*own.sign("client", "client"))

    def served(self) -> bool:
        try:
            with (
                socket.create_connection(("127.0.0.1", self._port)) as plain,
                self._context.wrap_socket(plain, server_hostname="localhost", session=self._session) as one,
            ):
                answered = one.recv(5) == b"hello"
                self._session = one.session
                return answered
        except OSError:
            return False


def served(port: int, made: Made) -> bool:
    """Whether a client that trusts the authority of `made` alone is served."""
    context = ssl.create_default_context(cadata=made.authorities.decode())
    try:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as one,
        ):
            return one.recv(5) == b"hello"
    except ssl.SSLError:
        return False
