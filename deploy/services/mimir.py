"""Mimir: all of it in one process, which knows tenants apart by a header."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from string import Template

from deploy.services import go_program, mimir_build
from deploy.services.mimir_build import VERSION
from deploy.services.process import Process, answers_ok, free_port, require_free
from deploy.services.service import Service, ServiceError

TENANT = {"X-Scope-OrgID": "team-a"}
"""The header that its requests carry."""

_CONFIG = Path(__file__).parent.parent / "mimir" / "mimir.yaml"
_READY_S, _STOP_S, _REQUEST_S, _SEEN_S = 90.0, 30.0, 30.0, 60.0
_LOADED = re.compile(r"^cortex_bucket_store_blocks_loaded(?:\{.*\})? (\d+)$", re.MULTILINE)


class MimirServer:
    """A server on 127.0.0.1 with its own folder, that `close` removes."""

    def __init__(self, home: Path, port: int | None = None, flags: Sequence[str] = ()) -> None:
        """flags: added to the command line."""
        self._folder = Path(tempfile.mkdtemp(prefix="sizewise-mimir-"))
        port = port or free_port()
        require_free(port)
        self._root = f"http://127.0.0.1:{port}"
        self.url = f"{self._root}/prometheus"
        ports = {"port": port, "grpc_port": free_port(), "gossip_port": free_port()}
        config = self._folder / "mimir.yaml"
        config.write_text(Template(_CONFIG.read_text()).substitute(ports, folder=self._folder))
        command = [str(home / "usr/bin/mimir"), f"-config.file={config}", *flags]
        self._process = Process("mimir", command, self._folder / "server.log")
        try:
            self._process.await_ready(lambda: answers_ok(f"{self._root}/ready"), _READY_S)
        except BaseException:
            self.close()
            raise

    def fill(self, data: Path) -> None:
        """Upload the blocks of a Prometheus' database. Returns when queries see them."""
        blocks = [meta.parent for meta in data.glob("*/meta.json")]
        for block in blocks:
            self._upload(block)
        deadline = time.monotonic() + _SEEN_S
        while self._loaded() < len(blocks):
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"mimir did not load {len(blocks)} blocks in {_SEEN_S:.0f} s:\n{self._process.tail()}"
                )
            time.sleep(0.1)

    def wait(self) -> int:
        return self._process.wait()

    def hint(self) -> Sequence[str]:
        return f"url      {self.url}", f"header   {TENANT}"

    def close(self) -> None:
        self._process.stop(_STOP_S)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _upload(self, block: Path) -> None:
        """As `mimirtool backfill` does."""
        at = f"{self._root}/api/v1/upload/block/{block.name}"
        files = [path for path in sorted(block.rglob("*")) if path.name == "index" or path.parent.name == "chunks"]
        listed = [{"rel_path": str(path.relative_to(block)), "size_bytes": path.stat().st_size} for path in files]
        meta = json.loads((block / "meta.json").read_text())
        meta["thanos"] = {"labels": {}, "downsample": {"resolution": 0}, "source": "test", "files": listed}
        self._request(f"{at}/start", json.dumps(meta).encode())
        for path in files:
            self._request(f"{at}/files?path={path.relative_to(block)}", path.read_bytes())
        self._request(f"{at}/finish", b"")

    def _loaded(self) -> int:
        return sum(int(count) for count in _LOADED.findall(self._request(f"{self._root}/metrics").decode()))

    def _request(self, url: str, body: bytes | None = None) -> bytes:
        headers = {**TENANT, "Content-Type": "application/octet-stream"}  # else it is read as a form
        request = urllib.request.Request(url, body, headers)  # noqa: S310  (127.0.0.1)
        with urllib.request.urlopen(request, timeout=_REQUEST_S) as answer:  # noqa: S310  (as above)
            return bytes(answer.read())


MIMIR = Service(
    name="mimir",
    version=VERSION,
    about="history of metrics to import",
    cost="4 min of processor time, 108 MB",
    tools=go_program.TOOLS,
    recipe=(Path(mimir_build.__file__), Path(go_program.__file__)),
    build=mimir_build.build,
    start=MimirServer,
    used_by="long tests",
)
