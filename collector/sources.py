"""What a collector reads when nothing else is asked for: the machine that it runs on."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from collector.dcgm.source import DcgmSource
from collector.host.source import HostSource
from collector.in_time import InTime
from collector.kubernetes.api import NodeApi
from collector.kubernetes.settings import api_url
from collector.kubernetes.source import KubernetesNodeSource
from collector.nvml.source import NvmlSource
from collector.settings import CollectorSettings, FactsSettings
from collector.source import Source
from collector.told import ToldSource
from models.metrics import Meter


def machine_sources(settings: CollectorSettings, meter: Meter, environ: Mapping[str, str] = os.environ) -> list[Source]:
    """What the settings say, the host, one reader of GPUs, and the Kubernetes API where there is one. Raises SourceError."""
    host = HostSource(settings)
    return [*_told(settings), host, _gpus(settings, host, meter), *_kubernetes(settings, environ)]


def _gpus(settings: CollectorSettings, host: HostSource, meter: Meter) -> Source:
    """One, as two would tell of each GPU twice: dcgm-exporter where one is named, else NVML. Both ask the host how it
    names who holds a GPU."""
    if settings.dcgm.url:
        return DcgmSource(settings.dcgm, settings.cluster, _node(settings), meter, host.whose)
    return InTime(NvmlSource(settings, host.whose), settings.source_deadline_s)


def _told(settings: CollectorSettings) -> list[Source]:
    if settings.facts == FactsSettings():
        return []
    return [ToldSource(settings.facts, settings.cluster, _node(settings))]


def _kubernetes(settings: CollectorSettings, environ: Mapping[str, str]) -> list[Source]:
    asked = settings.kubernetes
    if not (url := api_url(asked, environ)):
        return []
    api = NodeApi(url, asked.account, asked.timeout_s)
    return [KubernetesNodeSource(api, settings.cluster, _node(settings), asked.interval_s)]


def _node(settings: CollectorSettings) -> str:
    return settings.node or socket.gethostname()
