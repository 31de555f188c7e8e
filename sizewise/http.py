"""The API in a server of its own thread, beside the follower that keeps its view up to date."""

from __future__ import annotations

import logging
import socket
import threading
import time

import uvicorn
from fastapi import FastAPI  # noqa: TID251 - a type: what the server runs

from recommender.api.app import create_app
from recommender.api.settings import ApiSettings
from recommender.exposition.publish import FleetSeries
from recommender.mig.choose import SlicePolicy
from recommender.view import View
from recommender.view_follow import Follower
from sizewise.exits import Exit
from sizewise.metrics import CONTENT_TYPE, PrometheusMeter
from sizewise.settings import Settings
from sizewise.supervise import Stage, start
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
            return bind(ApiSettings(settings.host, 0))
        raise Exit(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; choose another --port, 0 for a free one"
        ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def stages(
    log: EventLog, view: View, settings: Settings, meter: PrometheusMeter, listener: socket.socket
) -> list[Stage]:
    """What keeps the view up to date, and what answers from it."""
    api: ApiSettings = settings["api"]
    policy = SlicePolicy(api.mig.max_slowdown_ratio, api.mig.memory_margin_ratio)
    fleet = FleetSeries(view, api.metrics, policy, meter, time.monotonic)
    app = create_app(view, api, meter, time.monotonic, lambda: (meter.exposition() + fleet.text, CONTENT_TYPE))

    def follow(stop: threading.Event) -> None:
        Follower(log, view, settings["view"], meter, time.time).run(stop)

    def answer(stop: threading.Event) -> None:
        _serve(app, listener.dup(), stop)  # the server closes what it is given; a restarted one needs it again

    return [Stage("view", follow), Stage("series", fleet.run), Stage("api", answer)]


def serve_view(log: EventLog, settings: Settings, meter: PrometheusMeter, stop: threading.Event) -> None:
    """The whole `serve` role: follow the log and answer until `stop`."""
    with bind(settings["api"]) as listener:
        _log.info("answering at %s/docs", url_of(listener))
        made = stages(log, View(), settings, meter, listener)
        threads = start(made, stop, settings["process"], meter, time.monotonic)
        for thread in threads:
            thread.join()


def _serve(app: FastAPI, listener: socket.socket, stop: threading.Event) -> None:
    """Serve until `stop`; requests under way are finished, for at most STOP_TIMEOUT_S. Not for the main thread, where
    uvicorn would take the signals."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=STOP_TIMEOUT_S
    )
    server = uvicorn.Server(config)

    def stop_with() -> None:
        stop.wait()
        server.should_exit = True

    threading.Thread(target=stop_with, name="api-stop", daemon=True).start()
    server.run(sockets=[listener])
