"""What a collector reads when nothing else is asked for: the machine that it runs on."""

from __future__ import annotations

import socket

from collector.dcgm.source import DcgmSource
from collector.host.source import HostSource
from collector.in_time import InTime
from collector.nvml.source import NvmlSource
from collector.settings import CollectorSettings
from collector.source import Source
from models.metrics import Meter


def machine_sources(settings: CollectorSettings, meter: Meter) -> list[Source]:
    """The host, and one reader of GPUs, as two would tell of each GPU twice: dcgm-exporter where one is named, else
    NVML, which asks the host whose the processes are that it finds on a GPU. Raises SourceError."""
    host = HostSource(settings)
    if settings.dcgm.url:
        return [host, DcgmSource(settings.dcgm, settings.cluster, settings.node or socket.gethostname(), meter)]
    return [host, InTime(NvmlSource(settings, host.whose), settings.source_deadline_s)]
