"""Prometheus and promtool from Debian's package, unpacked and not installed: no user, no service, no other packages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deploy.services import debian, prometheus_build
from deploy.services.process import Process, answers_ok, free_port, require_free
from deploy.services.service import Service
from deploy.services.tools import run

VERSION = "debian"
"""Whatever the system's release has: 2.42 in Debian 12. What we ask of it is in every 2.x and 3.x."""

_READY_S, _STOP_S = 60.0, 20.0
_BLOCKS_S = 300.0
_NO_SCRAPES = "scrape_configs: []\n"


class PrometheusServer:
    """A server on 127.0.0.1 with its own data folder. `stop` and `start` keep data and port; `close` removes them."""

    def __init__(
        self, home: Path, port: int | None = None, config: str = _NO_SCRAPES, flags: Sequence[str] = ()
    ) -> None:
        """config: text of prometheus.yml; flags: added to the command line."""
        self._home, self._port, self._flags = home, port or free_port(), tuple(flags)
        self._folder = Path(tempfile.mkdtemp(prefix="sizewise-prometheus-"))
        self.data = self._folder / "data"
        """Its database: blocks that are put here are seen after the next start."""
        self._process: Process | None = None
        try:
            (self._folder / "prometheus.yml").write_text(config)
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is stopped"
        return self._process.pid

    def start(self) -> None:
        """Start with the data as it is. Returns when queries are answered."""
        require_free(self._port)
        command = [
            str(self._home / "usr/bin/prometheus"),
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.data}",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address=127.0.0.1:{self._port}",
            *self._flags,
        ]
        self._process = Process("prometheus", command, self._folder / "server.log")
        self._process.await_ready(lambda: answers_ok(f"{self.url}/-/ready"), _READY_S)

    def stop(self) -> None:
        """Shut down cleanly."""
        if self._process:
            self._process.stop(_STOP_S)
            self._process = None

    def fill(self, openmetrics: Path) -> None:
        """Write the samples of an OpenMetrics file (it ends with `# EOF`) into blocks. Call while stopped.

        promtool reads the whole file once per two hours in it: give it many short files rather than one long one."""
        tool = str(self._home / "usr/bin/promtool")
        run((tool, "tsdb", "create-blocks-from", "-q", "openmetrics", str(openmetrics), str(self.data)), _BLOCKS_S)

    def wait(self) -> int:
        return self._process.wait() if self._process else 0

    def hint(self) -> Sequence[str]:
        return (f"url   {self.url}",)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


PROMETHEUS = Service(
    name="prometheus",
    version=VERSION,
    about="history of metrics to import",
    cost="10 s, 110 MB",
    tools=debian.TOOLS,
    recipe=(Path(prometheus_build.__file__), Path(debian.__file__)),
    build=prometheus_build.build,
    start=PrometheusServer,
)
