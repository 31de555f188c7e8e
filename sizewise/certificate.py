"""Which certificate the webhook serves: files, or one of its own making."""

from __future__ import annotations

import ipaddress
import time
from functools import partial
from pathlib import Path
from typing import Protocol

from recommender.admission.settings import CertificateSettings, WebhookSettings
from sizewise.exits import UNAVAILABLE, USAGE, Exit
from sizewise.tls import ServingTls, TlsError, TlsFiles


class Certificate(Protocol):
    """What serves TLS and can be asked to look for a newer certificate; `refresh` raises nothing."""

    @property
    def tls(self) -> ServingTls: ...

    def refresh(self) -> object: ...


def certificate_of(settings: WebhookSettings) -> Certificate | None:
    """None: without TLS, which is for this machine alone. Raises Exit."""
    tls = settings.tls
    if not tls.certificate and not tls.made_in:
        if is_loopback(settings.host):
            return None
        raise Exit(
            f"{settings.host} can be reached from elsewhere, and the API server speaks TLS alone: give --cert and --key, "
            "or --made-in for a certificate of sizewise's own making",
            USAGE,
        )
    try:
        return _from_files(tls) if tls.certificate else _self_made(tls, settings.kubeconfig)
    except TlsError as error:
        raise Exit(str(error)) from error


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; a name other than localhost may be anything."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _from_files(tls: CertificateSettings) -> Certificate:
    return TlsFiles(Path(tls.certificate), Path(tls.key), _client_ca(tls))


def _self_made(tls: CertificateSettings, kubeconfig: str) -> Certificate:
    """lightkube is loaded only here."""
    from recommender.adapters.kubernetes.certificate import SecretStore, WebhookTrust
    from recommender.adapters.kubernetes.client import KubernetesError, connect
    from sizewise.self_made import FolderStore, SelfMade, Store

    connected = partial(connect, kubeconfig)
    where, _, place = tls.made_in.partition(":")
    store: Store = FolderStore(Path(place)) if where == "folder" else SecretStore(connected, *place.split("/"))
    trust = WebhookTrust(connected, tls.configuration) if tls.configuration else _nobody
    try:
        return SelfMade(store, trust, tls.names, tls.days, time.time, _client_ca(tls))
    except KubernetesError as error:
        raise Exit(f"no certificate can be had: {error}", UNAVAILABLE) from error


def _client_ca(tls: CertificateSettings) -> Path | None:
    return Path(tls.client_ca) if tls.client_ca else None


def _nobody(authorities: bytes) -> None:
    """Somebody else tells the API server whom to trust."""
