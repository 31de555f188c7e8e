"""The API in a server of its own thread, beside the followers that keep its view and its tokens up to date."""

from __future__ import annotations

import gzip
import logging
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI  # noqa: TID251 - a type: what the server runs

from recommender.access.book import TokenBook
from recommender.access.follow import TokenFollower
from recommender.access.guard import Guard
from recommender.api.app import create_app
from recommender.api.settings import ApiSettings
from recommender.audit import AuditTrail
from recommender.exposition.publish import PACK_LEVEL, FleetSeries
from recommender.fingerprint.recogniser import Recogniser
from recommender.fingerprint.watch import Watch
from recommender.kin.keeper import KinKeeper
from recommender.mig.choose import SlicePolicy
from recommender.view import View
from recommender.view_follow import Follower
from sizewise.cycles import settle_when
from sizewise.exits import Exit
from sizewise.metrics import CONTENT_TYPE, PrometheusMeter
from sizewise.peer import PeerProtocol
from sizewise.settings import Settings
from sizewise.supervise import Stage, start
from sizewise.tls import TlsError, TlsFiles
from stream.contract import EventLog

STOP_TIMEOUT_S = 5
_log = logging.getLogger(__name__)


def bind(settings: ApiSettings, or_free: bool = False) -> socket.socket:
    """A listening socket. `or_free`: when the port is taken, take any free one. Raises Exit."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        if or_free and settings.port:
            return bind(replace(settings, port=0))
        raise Exit(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; choose another --port, 0 for a free one"
        ) from error
    return listener


def url_of(listener: socket.socket, settings: ApiSettings) -> str:
    scheme = "https" if settings.tls.certificate else "http"
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def who_may_ask(settings: ApiSettings) -> str:
    """What is said at the start, so that nobody has to guess."""
    if settings.guarded:
        return "who shows a token (sizewise token create)"
    if settings.on_loopback:
        return "anyone on this machine; no token is needed, and nobody else reaches it"
    return "ANYONE who reaches this address, and sees everything: insecure_anyone_may_read_everything is set"


def stages(
    log: EventLog, view: View, settings: Settings, meter: PrometheusMeter, listener: socket.socket
) -> list[Stage]:
    """What keeps the view up to date, and what answers from it. Raises Exit for a certificate that cannot be served."""
    api: ApiSettings = settings["api"]
    guard = Guard(TokenBook(), AuditTrail(meter), meter, lambda: time.time_ns() // 1_000_000) if api.guarded else None
    view.by_namespace = api.guarded
    tls = _tls(api)
    policy = SlicePolicy(api.mig.max_slowdown_ratio, api.mig.memory_margin_ratio)
    fleet = FleetSeries(view, api.metrics, policy, meter, time.monotonic)

    def exposition() -> tuple[bytes, str]:
        return meter.exposition() + fleet.ready.text, CONTENT_TYPE

    def packed() -> tuple[bytes, str]:
        return gzip.compress(meter.exposition(), PACK_LEVEL) + fleet.ready.packed, CONTENT_TYPE

    recogniser = Recogniser(api.fingerprint.model)
    watch = Watch(view, recogniser, api.fingerprint.check_interval_s, meter, time.time)
    kin = KinKeeper(view)
    app = create_app(view, api, meter, time.monotonic, exposition, guard, recogniser, kin, packed)

    def follow(stop: threading.Event) -> None:
        Follower(log, view, settings["view"], meter, time.time).run(stop)

    def answer(stop: threading.Event) -> None:
        # the server closes what it is given; a restarted one needs it again
        _serve(app, listener.dup(), tls.tls.context if tls else None, api.trusted_proxies, stop)

    def settle(stop: threading.Event) -> None:
        settle_when(lambda: view.ready, stop)

    made = [Stage("view", follow), Stage("series", fleet.run), Stage("fingerprints", watch.run)]
    made += [Stage("kin", kin.run), Stage("memory", settle), Stage("api", answer)]
    if tls is not None:
        made.append(Stage("certificate", lambda stop: tls.follow(stop, api.tls.check_interval_s)))
    return made + (_guarding(log, guard, meter) if guard else [])


def serve_view(log: EventLog, settings: Settings, meter: PrometheusMeter, stop: threading.Event) -> None:
    """The whole `serve` role: follow the log and answer until `stop`."""
    api: ApiSettings = settings["api"]
    with bind(api) as listener:
        made = stages(log, View(), settings, meter, listener)
        _log.info("answering at %s/docs", url_of(listener, api))
        _log.log(logging.INFO if api.guarded or api.on_loopback else logging.WARNING, "answers %s", who_may_ask(api))
        threads = start(made, stop, settings["process"], meter, time.monotonic)
        for thread in threads:
            thread.join()


def _guarding(log: EventLog, guard: Guard, meter: PrometheusMeter) -> list[Stage]:
    def follow(stop: threading.Event) -> None:
        TokenFollower(log, guard.book, meter).run(stop)

    def write(stop: threading.Event) -> None:
        guard.audit.run(log, stop)

    return [Stage("tokens", follow), Stage("audit", write)]


def _tls(settings: ApiSettings) -> TlsFiles | None:
    """None: plain HTTP. A client certificate is asked for, where authorities are named, and not insisted on: probes have
    none, and others have tokens."""
    tls = settings.tls
    if not tls.certificate:
        return None
    try:
        client_ca = Path(tls.client_ca) if tls.client_ca else None
        return TlsFiles(Path(tls.certificate), Path(tls.key), client_ca, insist=False)
    except TlsError as error:
        raise Exit(str(error)) from error


def _serve(
    app: FastAPI, listener: socket.socket, tls: ssl.SSLContext | None, proxies: Sequence[str], stop: threading.Event
) -> None:
    """Serve until `stop`; requests under way are finished, for at most STOP_TIMEOUT_S. Not for the main thread, where
    uvicorn would take the signals."""
    config = uvicorn.Config(
        app,
        http=PeerProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
        ssl_context_factory=None if tls is None else lambda *_: tls,
    )
    server = uvicorn.Server(config)

    def stop_with() -> None:
        stop.wait()
        server.should_exit = True

    threading.Thread(target=stop_with, name="api-stop", daemon=True).start()
    server.run(sockets=[listener])
