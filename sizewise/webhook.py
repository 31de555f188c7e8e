"""The webhook wired up: a server that answers from the first moment, and the threads that read for it."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext
from typing import Any

import uvicorn
import uvloop

from models.speed.carried import carried_model
from recommender.adapters.certificates import expires_s
from recommender.adapters.kubernetes.where import reachable
from recommender.admission.app import AdmissionApp
from recommender.admission.book import SizeBook
from recommender.admission.cluster_facts import ClusterFacts
from recommender.admission.facts import Facts, NoFacts
from recommender.admission.follow import BookFollower
from recommender.admission.probes import ProbeApp
from recommender.admission.review import Reviewer
from recommender.admission.settings import WebhookSettings
from recommender.admission.slice_book import SliceBook
from recommender.audit import AuditTrail
from recommender.mig.choose import SlicePolicy
from sizewise.bounded import BoundedProtocol
from sizewise.certificate import Certificate, certificate_of, is_loopback
from sizewise.cycles import settle
from sizewise.exits import Exit
from sizewise.metrics import CONTENT_TYPE, PrometheusMeter
from sizewise.process import LazyLog
from sizewise.process_settings import ProcessSettings
from sizewise.settings import Settings
from sizewise.supervise import Stage, start

KEEP_ALIVE_S = 120
"""The API server drops a connection that it did not use for 90 s. Were we the first to do so, a review sent at that very
moment would be lost."""
SWITCH_INTERVAL_S = 0.0005
"""How long the reading thread may hold the interpreter while a review waits for it. Python's own 5 ms would be the p99."""
STOP_TIMEOUT_S = 5
SWITCH_LOOK_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Door:
    """One listening socket and what answers there."""

    app: Any
    listener: socket.socket
    tls: SSLContext | None


def serve_webhook(settings: Settings, meter: PrometheusMeter, stop: threading.Event) -> None:
    """The whole `webhook` role, until `stop`. Raises Exit for what cannot be listened on or served."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    webhook: WebhookSettings = settings["webhook"]
    book, loaded, trail = SizeBook(webhook.cluster, _slices(webhook)), threading.Event(), AuditTrail(meter)
    certificate = certificate_of(webhook)
    reviewer = Reviewer(webhook, book, _facts(webhook, stop), time.time)
    shown = meter if _shows_metrics(webhook, settings["process"]) else None
    doors = _doors(webhook, reviewer, meter, shown, loaded, trail, certificate)
    with LazyLog(settings["log"]) as log:

        def follow(stop: threading.Event) -> None:
            BookFollower(log(), book, meter, time.time, lambda: _settle(loaded, book)).run(stop)

        def write_trail(stop: threading.Event) -> None:
            trail.run(log(), stop)

        made = [Stage("webhook", follow), Stage("audit", write_trail)]
        if webhook.kill_switch:
            made.append(Stage("kill-switch", KillSwitch(Path(webhook.kill_switch), reviewer).run))
        if certificate is not None:
            made.append(Stage("certificate", Rotation(certificate, meter, webhook.tls.check_interval_s).run))
        threads = start(made, stop, settings["process"], meter, time.monotonic)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_serve(doors, stop))
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def _slices(settings: WebhookSettings) -> SliceBook | None:
    """None: GPUs are left alone, and neither the model nor profiles are read."""
    if settings.pods.gpu == "off":
        return None
    policy = SlicePolicy(settings.mig.max_slowdown_ratio, settings.mig.memory_margin_ratio)
    return SliceBook(carried_model(), policy, settings.pods.gpu_min_hours)


def _facts(settings: WebhookSettings, stop: threading.Event) -> Facts:
    """lightkube is loaded only where Kubernetes is watched."""
    if settings.watch == "no" or (settings.watch == "auto" and not reachable(settings.kubeconfig)):
        _log.warning("Kubernetes is not watched: LimitRanges, ResourceQuotas and labels of namespaces are not known")
        return NoFacts()
    from recommender.adapters.kubernetes.watch import ClusterWatch

    facts = ClusterFacts()
    ClusterWatch(settings.kubeconfig, facts).start(stop)
    return facts


def _shows_metrics(webhook: WebhookSettings, process: ProcessSettings) -> bool:
    """Nobody is asked who they are at the doors of the webhook, so the rule is that of the metrics port."""
    return is_loopback(webhook.host) or process.insecure_anyone_may_read_metrics


def _doors(
    settings: WebhookSettings,
    reviewer: Reviewer,
    meter: PrometheusMeter,
    shown: PrometheusMeter | None,
    loaded: threading.Event,
    trail: AuditTrail,
    certificate: Certificate | None,
) -> list[Door]:
    exposition = None if shown is None else lambda: (shown.exposition(), CONTENT_TYPE)
    app = AdmissionApp(
        reviewer,
        meter,
        time.monotonic,
        loaded.is_set,
        exposition,
        trail.write,
        settings.deadline_s,
        settings.body_limit_bytes,
    )
    doors = [Door(app, listen(settings.host, settings.port), certificate.tls.context if certificate else None)]
    _log.info("reviews are answered at %s/mutate", _url(doors[0]))
    if settings.probe_port:
        doors.append(Door(ProbeApp(loaded.is_set, exposition), listen(settings.host, settings.probe_port), None))
    return doors


def listen(host: str, port: int) -> socket.socket:
    """Raises Exit."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Exit(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another port, 0 for a free one"
        ) from error
    return listener


def _settle(loaded: threading.Event, book: SizeBook) -> None:
    settle()
    loaded.set()
    _log.info("ready: %d workloads", len(book))


class KillSwitch:
    """While the file exists the reviewer is stopped."""

    def __init__(self, file: Path, reviewer: Reviewer) -> None:
        self._file, self._reviewer = file, reviewer

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            there = self._file.exists()
            if there != self._reviewer.stopped:
                _log.warning("the kill switch %s is %s", self._file, "on: pods stay as they come" if there else "off")
            self._reviewer.stopped = there
            stop.wait(SWITCH_LOOK_S)


class Rotation:
    """Looks for a new certificate again and again, and tells when the one that is served ends."""

    def __init__(self, certificate: Certificate, meter: PrometheusMeter, interval_s: float) -> None:
        self._certificate, self._meter, self._interval_s = certificate, meter, interval_s

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            ends_s = expires_s(self._certificate.tls.served.certificate)
            self._meter.gauge("sizewise_webhook_certificate_expiry_timestamp_seconds", ends_s)
            stop.wait(self._interval_s)
            self._certificate.refresh()


async def _serve(doors: list[Door], stop: threading.Event) -> None:
    servers = [_Server(_config(door)) for door in doors]
    running = [asyncio.create_task(s.serve([d.listener])) for s, d in zip(servers, doors, strict=True)]
    await asyncio.get_running_loop().run_in_executor(None, stop.wait)
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*running)


class _Server(uvicorn.Server):
    def capture_signals(self) -> Any:
        """Signals are the process's: `stop` is set by them."""
        return nullcontext()


def _config(door: Door) -> uvicorn.Config:
    context = door.tls
    return uvicorn.Config(
        door.app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
        ssl_context_factory=(lambda config, default: context) if context is not None else None,
    )


def _url(door: Door) -> str:
    host, port = door.listener.getsockname()[:2]
    return f"{'https' if door.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
