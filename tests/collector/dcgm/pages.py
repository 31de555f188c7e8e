"""Pages as dcgm-exporter shows them, and a server for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_BERT = (
    'gpu="0",UUID="GPU-aa",pci_bus_id="00000000:07:00.0",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",'
    'Hostname="node-1",container="train",namespace="ml",pod="bert-7d9f8b6c5d-x2x4z"'
)
_IDLE = 'gpu="1",UUID="GPU-bb",modelName="NVIDIA H100 80GB HBM3",Hostname="node-1"'
OLD = f"""\
# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (in %).
# TYPE DCGM_FI_DEV_GPU_UTIL gauge
DCGM_FI_DEV_GPU_UTIL{{{_BERT}}} 87
DCGM_FI_DEV_GPU_UTIL{{{_IDLE}}} 0
DCGM_FI_DEV_FB_USED{{{_BERT}}} 40960
DCGM_FI_DEV_FB_TOTAL{{{_BERT}}} 81559
DCGM_FI_DEV_SM_CLOCK{{{_BERT}}} 1980
DCGM_FI_DEV_POWER_USAGE{{{_BERT}}} 512.75
DCGM_FI_DEV_POWER_USAGE{{{_IDLE}}} 140737488355329
DCGM_FI_PROF_SM_ACTIVE{{{_BERT}}} 1.0009
DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{{{_BERT}}} 0.41
DCGM_FI_PROF_DRAM_ACTIVE{{{_BERT}}} 9223372036854775794
DCGM_FI_PROF_PCIE_RX_BYTES{{{_BERT}}} 1440000000
"""
"""DCGM 4.5 and before. Two values are blank: an int64 sentinel, and a double's `not found`."""

NEW = (
    OLD.replace("Hostname=", "hostname=")
    .replace("DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_SM_UTIL_RATIO")
    .replace("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_PROF_TENSOR_UTIL_RATIO")
    .replace("DCGM_FI_PROF_DRAM_ACTIVE", "DCGM_FI_PROF_DRAM_UTIL_RATIO")
    .replace("DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_BOARD_POWER_WATTS")
)
"""The same page of DCGM 4.6 and an exporter after May 2026."""

BASE_UNITS = (
    f"""\
DCGM_FI_DEV_GPU_UTIL_RATIO{{{_BERT}}} 0.87
DCGM_FI_DEV_GPU_UTIL_RATIO{{{_IDLE}}} 0
DCGM_FI_DEV_FB_USED_BYTES{{{_BERT}}} {40960 << 20}
DCGM_FI_DEV_FB_CAPACITY_BYTES{{{_BERT}}} {81559 << 20}
DCGM_FI_DEV_SM_CLOCK_HERTZ{{{_BERT}}} 1980000000
DCGM_FI_DEV_BOARD_POWER_WATTS{{{_BERT}}} 512.75
DCGM_FI_PROF_SM_UTIL_RATIO{{{_BERT}}} 1.0009
DCGM_FI_PROF_TENSOR_UTIL_RATIO{{{_BERT}}} 0.41
DCGM_FI_PROF_PCIE_RX_BYTES{{{_BERT}}} 1440000000
"""
).replace("Hostname=", "hostname=")
"""The same of DCGM 4.7 and an exporter from 4.9 on: ratios, bytes and hertz under names of their own."""


class Exporter:
    """A page on 127.0.0.1 that a test may change."""

    def __init__(self, page: str) -> None:
        self.page, self.status = page, 200
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(exporter.status)
                self.end_headers()
                self.wfile.write(exporter.page.encode())

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.address}/metrics"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def exporter(page: str) -> Iterator[Exporter]:
    server = Exporter(page)
    try:
        yield server
    finally:
        server.close()
