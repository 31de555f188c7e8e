"""What a collector reads when nothing else is asked for: the machine that it runs on."""

from __future__ import annotations

from collector.host.source import HostSource
from collector.nvml.source import NvmlSource
from collector.settings import CollectorSettings
from collector.source import Source


def machine_sources(settings: CollectorSettings) -> list[Source]:
    """The host first: it knows whose the processes are that NVML finds on a GPU. Raises SourceError."""
    host = HostSource(settings)
    return [host, NvmlSource(settings, host.whose)]
