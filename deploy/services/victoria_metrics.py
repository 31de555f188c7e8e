"""VictoriaMetrics, one node: answers the API of Prometheus, but for remote read."""

from __future__ import annotations

import shutil
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from deploy.services import go_program, victoria_metrics_build
from deploy.services.process import Process, answers_ok, free_port, require_free
from deploy.services.service import Service
from deploy.services.victoria_metrics_build import VERSION

_READY_S, _STOP_S, _FILL_S = 60.0, 20.0, 60.0


class VictoriaMetricsServer:
    """A server on 127.0.0.1 with its own data folder, that `close` removes."""

    def __init__(self, home: Path, port: int | None = None, flags: Sequence[str] = ()) -> None:
        """flags: added to the command line."""
        self._folder = Path(tempfile.mkdtemp(prefix="sizewise-victoria-metrics-"))
        port = port or free_port()
        require_free(port)
        self.url = f"http://127.0.0.1:{port}"
        command = [
            str(home / "usr/bin/victoria-metrics"),
            f"-storageDataPath={self._folder / 'data'}",
            "-retentionPeriod=100y",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-memory.allowedBytes=256MB",
            *flags,
        ]
        self._process = Process("victoria-metrics", command, self._folder / "server.log")
        try:
            self._process.await_ready(lambda: answers_ok(f"{self.url}/health"), _READY_S)
        except BaseException:
            self.close()
            raise

    def fill(self, text: str) -> None:
        """Add samples in Prometheus' text format, with their times in milliseconds. Returns when queries see them."""
        for path, body in (("/api/v1/import/prometheus", text.encode()), ("/internal/force_flush", None)):
            urllib.request.urlopen(f"{self.url}{path}", body, timeout=_FILL_S).close()  # noqa: S310  (127.0.0.1)

    def wait(self) -> int:
        return self._process.wait()

    def hint(self) -> Sequence[str]:
        return (f"url   {self.url}",)

    def close(self) -> None:
        self._process.stop(_STOP_S)
        shutil.rmtree(self._folder, ignore_errors=True)


VICTORIA_METRICS = Service(
    name="victoria-metrics",
    version=VERSION,
    about="history of metrics to import",
    cost="1 min of processor time, 18 MB",
    tools=go_program.TOOLS,
    recipe=(Path(victoria_metrics_build.__file__), Path(go_program.__file__)),
    build=victoria_metrics_build.build,
    start=VictoriaMetricsServer,
)
