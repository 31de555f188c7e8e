"""The kubelet's pod-resources service, played by a real gRPC server on a unix socket."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from collector.kubelet.grants import Grant, Grants
from collector.kubelet.grpc import GrpcError, call
from tests.collector.kubelet.pod_resources import allocatable_response, list_response

METHOD = "/v1.PodResourcesLister/List"
Answer = Callable[[bytes, grpc.ServicerContext], bytes]
Serve = Callable[[Answer], Path]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a gRPC server whose List answers what it is given, and GetAllocatableResources too; returns the kubelet's folder."""
    servers: list[grpc.Server] = []

    def start(answer: Answer, offered: Answer | None = None) -> Path:
        server = grpc.server(futures.ThreadPoolExecutor(2))
        handler = grpc.unary_unary_rpc_method_handler(answer)  # bytes in, bytes out
        methods = {"List": handler}
        if offered:
            methods["GetAllocatableResources"] = grpc.unary_unary_rpc_method_handler(offered)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("v1.PodResourcesLister", methods),))
        (tmp_path / "pod-resources").mkdir(exist_ok=True)
        server.add_insecure_port(f"unix:{tmp_path / 'pod-resources/kubelet.sock'}")
        server.start()
        servers.append(server)
        return tmp_path

    yield start
    for server in servers:
        server.stop(None).wait()


def pods(*texts: str) -> bytes:
    """A ListPodResourcesResponse: each text is `namespace/pod/container resource device,device`."""
    response = list_response()
    for text in texts:
        names, resource, devices = text.split()
        namespace, pod, container = names.split("/")
        added = response.pod_resources.add(name=pod, namespace=namespace).containers.add(name=container)
        added.devices.add(resource_name=resource, device_ids=devices.split(","))
    return bytes(response.SerializeToString())


def test_pods_and_their_gpus_are_read_from_a_real_grpc_server(serve: Serve) -> None:
    """Whole GPUs, MIG devices, and replicas of a time-sliced GPU (`GPU-b::0` and `::1` are one GPU); other vendors'
    devices are left out."""
    body = pods(
        "ml/train-0/main nvidia.com/gpu GPU-a,GPU-c",
        "ml/infer-1/main nvidia.com/mig-1g.10gb MIG-d",
        "ml/note-2/jupyter nvidia.com/gpu.shared GPU-b::0,GPU-b::1",
        "net/fast-3/main intel.com/sriov 0000:05:00.1",
    )
    folder = serve(lambda request, context: body)
    assert Grants(str(folder)).read(0) == (
        Grant("ml", "train-0", "main", "GPU-a"),
        Grant("ml", "train-0", "main", "GPU-c"),
        Grant("ml", "infer-1", "main", "MIG-d"),
        Grant("ml", "note-2", "jupyter", "GPU-b"),
    )


def test_replicas_of_a_time_sliced_gpu_are_shares_of_it(serve: Serve) -> None:
    """Two of the four replicas that the node offers are half of it. GPU-a is whole and has no share. A kubelet that does not
    say what it offers leaves the share unknown."""
    held = pods("ml/note-2/jupyter nvidia.com/gpu.shared GPU-b::0,GPU-b::3", "ml/train-0/main nvidia.com/gpu GPU-a")
    whole, half = Grant("ml", "train-0", "main", "GPU-a"), Grant("ml", "note-2", "jupyter", "GPU-b", 0.5)
    offered = allocatable_response()
    offered.devices.add(resource_name="nvidia.com/gpu.shared", device_ids=[f"GPU-b::{n}" for n in range(4)])
    offered.devices.add(resource_name="nvidia.com/gpu", device_ids=["GPU-a"])
    offered.devices.add(resource_name="intel.com/sriov", device_ids=["GPU-b::9"])
    folder = serve(lambda request, context: held, lambda request, context: offered.SerializeToString())
    assert Grants(str(folder)).read(0) == (half, whole)


def test_a_kubelet_that_does_not_say_what_it_offers_leaves_shares_unknown(serve: Serve) -> None:
    """gRPC status 12; who holds what is known all the same."""
    folder = serve(lambda request, context: pods("ml/n/c nvidia.com/gpu.shared GPU-b::0"))
    grants = Grants(str(folder))
    assert grants.read(0) == (Grant("ml", "n", "c", "GPU-b"),)
    assert grants.error == ""


def test_claims_of_dynamic_resource_allocation_are_grants_too(serve: Serve) -> None:
    """By the UUID in the CDI name where there is one, else by the driver's name for the device; of NVIDIA's driver."""
    response = list_response()
    claims = response.pod_resources.add(name="p", namespace="n").containers.add(name="c").dynamic_resources.add()
    claims.claim_resources.add(driver_name="gpu.nvidia.com", pool_name="n1", device_name="gpu-3")
    uuid = "GPU-0aa01d40-2c8c-4b1a-9c3e-2f1f3f0a9b11"
    claims.claim_resources.add(driver_name="other").cdi_devices.add(name=f"nvidia.com/gpu={uuid}")
    claims.claim_resources.add(driver_name="nic.example.com", device_name="eth1")
    folder = serve(lambda request, context: response.SerializeToString())
    assert Grants(str(folder)).read(0) == (Grant("n", "p", "c", "gpu-3"), Grant("n", "p", "c", uuid))


def test_an_answer_of_many_frames_is_put_together(serve: Serve) -> None:
    """2,000 pods are 120 kB: eight HTTP/2 frames, and more than the first flow-control window of 64 KiB."""
    body = pods(*(f"ml/a-pod-with-a-long-name-{i:04d}/container nvidia.com/gpu GPU-{i:04d}" for i in range(2_000)))
    assert len(body) > 100_000
    folder = serve(lambda request, context: body)
    assert len(Grants(str(folder)).read(0)) == 2_000


def test_the_kubelet_is_asked_every_ten_seconds(serve: Serve) -> None:
    """A pod holds its devices for life; nothing is gained by asking at 1 Hz."""
    asked: list[bytes] = []

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        asked.append(request)
        return pods(f"ml/pod-{len(asked)}/main nvidia.com/gpu GPU-a")

    grants = Grants(str(serve(answer)))
    seen = [grants.read(second * 1_000)[0].pod for second in range(21)]
    assert seen == ["pod-1"] * 10 + ["pod-2"] * 10 + ["pod-3"]
    assert asked == [b""] * 3


def test_without_a_kubelet_nothing_is_loaded_and_nothing_is_said(tmp_path: Path) -> None:
    """h2 is 1.4 MB: a machine outside Kubernetes does not pay for it."""
    script = (
        "import sys\nfrom collector.kubelet.grants import Grants\n"
        f"grants = Grants({str(tmp_path)!r})\n"
        "print(grants.read(0), repr(grants.error), 'h2' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "() '' False\n"


def test_a_kubelet_that_refuses_is_a_reason_and_not_an_error(serve: Serve) -> None:
    """A gRPC status other than OK; the next answer takes the reason away again."""
    refuse = [True]

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        if refuse[0]:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "rejected by rate limit")
        return pods("ml/p/c nvidia.com/gpu GPU-a")

    grants = Grants(str(serve(answer)))
    assert grants.read(0) == ()
    assert "gRPC status 8" in grants.error
    assert "rejected by rate limit" in grants.error
    refuse[0] = False
    assert len(grants.read(10_000)) == 1
    assert grants.error == ""


def test_an_answer_that_is_no_message_is_a_reason(serve: Serve) -> None:
    """Bytes that are no protobuf message."""
    grants = Grants(str(serve(lambda request, context: b"\xff\xff\xff")))
    assert grants.read(0) == ()
    assert "has no end" in grants.error


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/2|closed the connection|Broken pipe"),
        (b"", "closed the connection"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(4) + b"\x00\x00\x00\x0b",
         "broke off with HTTP/2 error"),
    ],
)  # fmt: skip
def test_a_server_that_is_none_ends_in_a_reason(tmp_path: Path, said: bytes, why: str) -> None:
    """Something else listens there: HTTP/1.1, a closed door, a GOAWAY (error 11, ENHANCE_YOUR_CALM)."""
    path = tmp_path / "kubelet.sock"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            link, _ = listener.accept()
            with closing(link):
                link.recv(1 << 16)
                link.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises((GrpcError, OSError), match=why):
            call(str(path), METHOD, b"", 5.0)
        thread.join()


def test_a_server_that_never_answers_is_left_after_the_timeout(tmp_path: Path) -> None:
    """It accepts and is silent: TimeoutError, which is an OSError."""
    path = tmp_path / "kubelet.sock"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(TimeoutError):
            call(str(path), METHOD, b"", 0.05)


def test_a_socket_that_nobody_listens_at_is_a_reason(tmp_path: Path) -> None:
    """The kubelet was stopped; its socket file is still there."""
    (tmp_path / "pod-resources").mkdir()
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as listener:
        listener.bind(str(tmp_path / "pod-resources/kubelet.sock"))
    grants = Grants(str(tmp_path))
    assert grants.read(0) == ()
    assert "refused" in grants.error
