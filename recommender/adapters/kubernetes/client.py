"""A connection to the API server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import msgspec
from lightkube import Client, KubeConfig
from lightkube.config.models import Cluster, Context, User
from lightkube.core.decoders import WatchEvent, decode_list
from lightkube.core.exceptions import ApiError, ConfigError, LoadResourceError
from lightkube.models.meta_v1 import Status


class KubernetesError(Exception):
    """Kubernetes cannot be reached, or refuses. `status`: of its answer; 0 without one. The message holds the mend."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def connect(kubeconfig: str) -> Client:
    """By this file; empty: by the pod's service account, else $KUBECONFIG. Raises KubernetesError."""
    with translated("connect"):
        config = KubeConfig.from_file(kubeconfig) if kubeconfig else KubeConfig.from_env()
        return Client(config.get(), field_manager="sizewise")


def prepare(*resources: type) -> None:
    """Make what decodes these, before threads ask for them. msgspec, under lightkube, makes a decoder at its first use, and
    the process dies of a segmentation fault when two threads do so at once: 9 of 150 starts did."""
    for model in (Cluster, Context, User, Status, WatchEvent):
        msgspec.json.Decoder(model)
    for resource in resources:
        decode_list(b'{"items": []}', resource)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """lightkube's errors in our words. `what`: was to be done."""
    try:
        yield
    except ApiError as error:
        status = int(error.status.code or 0)
        mend = "; the ClusterRole of deploy/kubernetes has what it needs" if status == 403 else ""
        raise KubernetesError(f"Kubernetes refuses to {what}: {error.status.message}{mend}", status) from error
    except (
        httpx2.HTTPStatusError
    ) as error:  # an answer that is no Status of Kubernetes, as for a group that is not served
        status = error.response.status_code
        raise KubernetesError(f"Kubernetes refuses to {what}: it answers {status}", status) from error
    except (ConfigError, LoadResourceError, httpx2.HTTPError, OSError, ValueError) as error:
        raise KubernetesError(f"cannot {what} at Kubernetes: {type(error).__name__}: {error}") from error
