"""The Secret in which replicas share a serving certificate, and the webhook configuration that trusts its authority."""

from __future__ import annotations

import base64
from collections.abc import Callable

from lightkube import Client
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.admissionregistration_v1 import MutatingWebhookConfiguration
from lightkube.resources.core_v1 import Secret
from lightkube.types import PatchType

from recommender.adapters.certificates import Made
from recommender.adapters.kubernetes.client import KubernetesError, translated

_CERTIFICATE, _KEY, _AUTHORITIES = "tls.crt", "tls.key", "ca.crt"
_NOT_FOUND, _CONFLICT = 404, 409


class SecretStore:
    """One Secret of type kubernetes.io/tls. `connected` gives a client for each use, as tokens and authorities rotate."""

    def __init__(self, connected: Callable[[], Client], namespace: str, name: str) -> None:
        self._connected, self._namespace, self._name = connected, namespace, name
        self._version: str | None = None

    def read(self) -> Made | None:
        """None: it is not there, or holds no pair. Raises KubernetesError."""
        with self._connected() as client:
            try:
                with translated(f"read Secret {self._namespace}/{self._name}"):
                    secret = client.get(Secret, self._name, namespace=self._namespace)
            except KubernetesError as error:
                if error.status != _NOT_FOUND:
                    raise
                self._version = None
                return None
        self._version = secret.metadata.resourceVersion if secret.metadata else None
        data = {name: base64.b64decode(text) for name, text in (secret.data or {}).items()}
        if not all(data.get(name) for name in (_CERTIFICATE, _KEY, _AUTHORITIES)):
            return None
        return Made(data[_CERTIFICATE], data[_KEY], data[_AUTHORITIES])

    def write(self, made: Made) -> bool:
        """Whether it was written: False when another replica was faster since `read`. Raises KubernetesError."""
        parts = {_CERTIFICATE: made.certificate, _KEY: made.key, _AUTHORITIES: made.authorities}
        secret = Secret(
            metadata=ObjectMeta(name=self._name, namespace=self._namespace, resourceVersion=self._version),
            type="kubernetes.io/tls",
            data={name: base64.b64encode(text).decode() for name, text in parts.items()},
        )
        try:
            with self._connected() as client, translated(f"write Secret {self._namespace}/{self._name}"):
                if self._version is None:
                    client.create(secret)
                else:
                    client.replace(secret)
        except KubernetesError as error:
            if error.status == _CONFLICT:
                return False
            raise
        return True


class WebhookTrust:
    """The caBundle of every webhook in one MutatingWebhookConfiguration."""

    def __init__(self, connected: Callable[[], Client], configuration: str) -> None:
        self._connected, self._configuration = connected, configuration

    def __call__(self, authorities: bytes) -> None:
        """Trust these, and only these. Raises KubernetesError."""
        bundle = base64.b64encode(authorities).decode()
        with self._connected() as client, translated(f"trust an authority in {self._configuration}"):
            found = client.get(MutatingWebhookConfiguration, self._configuration)
            stale = [one.name for one in found.webhooks or () if one.clientConfig.caBundle != bundle]
            if stale:
                patch = {"webhooks": [{"name": name, "clientConfig": {"caBundle": bundle}} for name in stale]}
                client.patch(MutatingWebhookConfiguration, self._configuration, patch, patch_type=PatchType.STRATEGIC)
