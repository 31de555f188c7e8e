"""Thanos: a querier over store gateways, each with a bucket of blocks of its own."""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.services import go_program, thanos_build
from deploy.services.process import Process, answers_ok, free_port, require_free
from deploy.services.service import Service
from deploy.services.thanos_build import VERSION
from deploy.services.tools import run

REPLICA_LABEL = "replica"
_READY_S, _STOP_S, _UPLOAD_S = 60.0, 20.0, 120.0
_GRACE = ("--grpc-grace-period=1s", "--http-grace-period=1s")


class ThanosServer:
    """A querier on 127.0.0.1 and what is behind it, with folders of its own, that `close` removes."""

    def __init__(
        self,
        home: Path,
        port: int | None = None,
        blocks: Mapping[str, Path] = {"a": Path()},
        flags: Sequence[str] = (),
        store_flags: Sequence[str] = (),
    ) -> None:
        """blocks: the database of a Prometheus for each replica of it; flags: added to the querier's command line;
        store_flags: to each store gateway's."""
        self._program = str(home / "usr/bin/thanos")
        self._folder = Path(tempfile.mkdtemp(prefix="sizewise-thanos-"))
        self._store_flags = tuple(store_flags)
        self._stores: dict[str, Process] = {}
        self._querier: Process | None = None
        port = port or free_port()
        require_free(port)
        self.url = f"http://127.0.0.1:{port}"
        try:
            addresses = [self._store(replica, data) for replica, data in blocks.items()]
            self._query(port, addresses, flags)
        except BaseException:
            self.close()
            raise

    def lose(self, replica: str) -> None:
        """End the store gateway of a replica: the querier learns of it when it asks."""
        self._stores[replica].kill()

    def wait(self) -> int:
        return self._querier.wait() if self._querier else 0

    def hint(self) -> Sequence[str]:
        return (f"url   {self.url}",)

    def close(self) -> None:
        for process in filter(None, (self._querier, *self._stores.values())):
            process.stop(_STOP_S)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _store(self, replica: str, data: Path) -> str:
        """Upload blocks under the label of their replica, and serve them; the address of the store gateway."""
        bucket = self._folder / replica
        (bucket / "objects").mkdir(parents=True)
        storage = {"type": "FILESYSTEM", "config": {"directory": str(bucket / "objects")}}
        config = f"--objstore.config={json.dumps(storage)}"
        if data != Path():
            (data / "thanos.shipper.json").unlink(
                missing_ok=True
            )  # of another replica's upload: all are there, it says
            label = f'--label={REPLICA_LABEL}="{replica}"'
            run((self._program, "tools", "bucket", "upload-blocks", config, f"--path={data}", label), _UPLOAD_S)
        grpc, http = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        command = [
            self._program, "store", config, f"--data-dir={bucket / 'cache'}", f"--grpc-address={grpc}",
            f"--http-address={http}", *_GRACE, *self._store_flags,
        ]  # fmt: skip
        self._stores[replica] = Process(f"thanos store {replica}", command, bucket / "store.log")
        self._stores[replica].await_ready(lambda: answers_ok(f"http://{http}/-/ready"), _READY_S)
        return grpc

    def _query(self, port: int, stores: Sequence[str], flags: Sequence[str]) -> None:
        command = [
            self._program, "query", f"--http-address=127.0.0.1:{port}", f"--grpc-address=127.0.0.1:{free_port()}",
            *_GRACE, f"--query.replica-label={REPLICA_LABEL}",
            *(f"--endpoint={address}" for address in stores), *flags,
        ]  # fmt: skip
        self._querier = Process("thanos query", command, self._folder / "query.log")
        self._querier.await_ready(lambda: _sees(self.url, len(stores)), _READY_S)


def _sees(url: str, stores: int) -> bool:
    """Whether the querier knows this many store gateways."""
    try:
        with urllib.request.urlopen(f"{url}/api/v1/stores", timeout=1.0) as answer:  # noqa: S310  (127.0.0.1)
            return len(json.load(answer)["data"].get("store", ())) == stores
    except OSError:
        return False


THANOS = Service(
    name="thanos",
    version=VERSION,
    about="history of metrics to import",
    cost="3 min of processor time, 98 MB",
    tools=go_program.TOOLS,
    recipe=(Path(thanos_build.__file__), Path(go_program.__file__)),
    build=thanos_build.build,
    start=ThanosServer,
    used_by="long tests",
)
