"""Eight H100s and a kubelet for the recorded node of the collector's bench.

The GPUs are the test library's: NVML with its layouts, GPM included, answering at once. A real driver's calls take
longer (mostly waiting), and what they cost inside the driver is not seen here. The kubelet is a real gRPC server that
grants each GPU to a container, so that the collector carries its client too.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from tests.collector.kubelet.pod_resources import list_response
from tests.collector.nvml.library import FACTS_VARIABLE, build
from tests.collector.nvml.machines import GIB, h100, h100_uuid, write

GPUS = 8
_FIRST_PID, _PIDS_PER_POD = 1001, 3
"""Of bench.collector_tree: each pod has two containers and a sandbox."""
_MODULE = "v1.PodResourcesLister"


def can_build() -> bool:
    """Whether the library can be built here."""
    return shutil.which("gcc") is not None


@contextmanager
def eight_gpus(folder: Path) -> Iterator[Mapping[str, str]]:
    """The environment in which a collector of the node in `folder` finds the GPUs; the kubelet answers meanwhile."""
    library = folder / "nvml"
    library.mkdir(parents=True)
    build(library)
    facts = {key: value for key, value in h100(GPUS).items() if key != "clock_ms"}
    processes = {f"gpu.{i}.processes": f"{_FIRST_PID + i * _PIDS_PER_POD}:{60 * GIB}" for i in range(GPUS)}
    write(facts | processes, folder / "gpus")
    server = _kubelet(folder / "host/var/lib/kubelet/pod-resources/kubelet.sock")
    try:
        yield {**os.environ, "LD_LIBRARY_PATH": str(library), FACTS_VARIABLE: str(folder / "gpus")}
    finally:
        server.stop(None).wait()


def _kubelet(socket: Path) -> grpc.Server:
    answer = list_response()
    for i in range(GPUS):
        pod = answer.pod_resources.add(name=f"service-{i}-7d9c8b6f5-x2k4m", namespace="default")
        container = pod.containers.add(name="app0")
        container.devices.add(resource_name="nvidia.com/gpu", device_ids=[h100_uuid(i)])
    body = answer.SerializeToString()
    server = grpc.server(futures.ThreadPoolExecutor(1))
    list_pods: Any = grpc.unary_unary_rpc_method_handler(lambda request, context: body)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_MODULE, {"List": list_pods}),))
    socket.parent.mkdir(parents=True)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    return server
