"""Apache Kafka: one KRaft node that is broker and controller, from the jars of Maven Central."""

from __future__ import annotations

import base64
import shutil
import signal
import socket
import struct
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from string import Template

from deploy.services import kafka_build
from deploy.services.process import Process, free_port, require_free
from deploy.services.service import Service, Tool
from deploy.services.tools import run

VERSION = "4.3.1"
USER, PASSWORD = "sizewise", "for-tests-only"
"""Who may log in at the SASL_SSL listener, which hears 127.0.0.1 only."""

_CONFIG = Path(__file__).parent.parent / "kafka"
_READY_S, _STOP_S = 60.0, 15.0
# The serial collector and no performance-data file: on two cores that tests share, its threads and pauses cost least.
_JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError")
_QUICK_JVM = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1")
_API_VERSIONS_REQUEST = struct.pack(">ihhih", 10, 18, 0, 1, -1)  # size, api key, version, correlation id, no client id


class KafkaBroker:
    """A broker on 127.0.0.1 with its own data folder. `stop` and `start` keep data and ports; `close` removes them."""

    def __init__(self, home: Path, port: int | None = None) -> None:
        self._home = home
        self._folder = Path(tempfile.mkdtemp(prefix="sizewise-kafka-"))
        self._port, self._secure_port, self._controller_port = port or free_port(), free_port(), free_port()
        self.ca_file = home / "tls" / "ca.pem"
        self._process: Process | None = None
        try:
            self._format()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def secure_bootstrap(self) -> str:
        """SASL_SSL with PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; the certificate is signed by `ca_file`."""
        return f"127.0.0.1:{self._secure_port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker is stopped"
        return self._process.pid

    def running(self) -> bool:
        return self._process is not None and self._process.alive()

    def start(self) -> None:
        """Start with the data as it is. Returns when requests are answered."""
        require_free(self._port)
        logging = f"-Dlog4j2.configurationFile={_CONFIG / 'log4j2.xml'}"
        command = ["java", *_JVM, logging, *self._classpath(), "kafka.Kafka", str(self._properties())]
        self._process = Process(f"kafka {VERSION}", command, self._folder / "broker.log")
        self._process.await_ready(lambda: _answers(self._port), _READY_S)

    def stop(self) -> None:
        """Shut down cleanly."""
        if self._process:
            self._process.stop(_STOP_S)
            self._process = None

    def kill(self) -> None:
        """SIGKILL: what a power cut leaves."""
        if self._process:
            self._process.kill()
            self._process = None

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        if self._process:
            self._process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._process:
            self._process.signal(signal.SIGCONT)

    def wait(self) -> int:
        return self._process.wait() if self._process else 0

    def hint(self) -> Sequence[str]:
        return (
            f"bootstrap        {self.bootstrap}",
            f"with TLS, SASL   {self.secure_bootstrap}  user {USER}, password {PASSWORD}, CA {self.ca_file}",
            f"try              sizewise up --log kafka:{self.bootstrap}",
        )

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _format(self) -> None:
        self._write_properties()
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        scram = [f"--add-scram=SCRAM-SHA-{bits}=[name={USER},password={PASSWORD}]" for bits in (256, 512)]
        options = ["--standalone", f"--cluster-id={cluster_id}", f"--config={self._properties()}", *scram]
        run(("java", *_QUICK_JVM, *self._classpath(), "kafka.tools.StorageTool", "format", *options), _READY_S)

    def _write_properties(self) -> None:
        template = Template((_CONFIG / "server.properties").read_text())
        self._properties().write_text(
            template.substitute(
                port=self._port,
                secure_port=self._secure_port,
                controller_port=self._controller_port,
                data=self._folder / "data",
                keystore=self._home / "tls" / "broker.p12",
                keystore_password=kafka_build.KEYSTORE_PASSWORD,
                user=USER,
                password=PASSWORD,
            )
        )

    def _properties(self) -> Path:
        return self._folder / "server.properties"

    def _classpath(self) -> tuple[str, str]:
        return "-cp", f"{self._home / 'libs'}/*"


def _answers(port: int) -> bool:
    """Whether the broker answers ApiVersions, which it does once it has joined its controller."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(_API_VERSIONS_REQUEST)
            return len(connection.recv(8)) == 8
    except OSError:
        return False


KAFKA = Service(
    name="kafka",
    version=VERSION,
    about="the event log of a cluster",
    cost="20 s, 43 MB",
    tools=(
        Tool("java", ("openjdk-17-jre-headless", "openjdk-21-jre-headless", "default-jre-headless")),
        Tool("mvn", ("maven",)),
    ),
    recipe=(_CONFIG / "pom.xml", Path(kafka_build.__file__)),
    build=kafka_build.build,
    start=KafkaBroker,
)
