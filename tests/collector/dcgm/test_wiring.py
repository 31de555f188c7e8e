"""Which source a collector reads GPUs from."""

from __future__ import annotations

from collector.dcgm.settings import DcgmSettings
from collector.settings import CollectorSettings
from collector.sources import machine_sources
from models.metrics import NullMeter


def test_a_named_exporter_is_read_instead_of_nvml() -> None:
    """Never both: each GPU would be told of twice."""
    with_exporter = CollectorSettings(dcgm=DcgmSettings("http://127.0.0.1:9400/metrics"))
    for settings, expected in ((with_exporter, ["host", "dcgm"]), (CollectorSettings(), ["host", "nvml"])):
        sources = machine_sources(settings, NullMeter())
        assert [source.name for source in sources] == expected
        for source in sources:
            source.close()
