"""Image and command of what a node holds, in its inventory: from the runtime's files, without secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.host.command_line import command_line
from collector.nodes import joined
from models.inventory import COMMAND_CHARACTERS, Allocation, Node
from tests.collector.recorded import START, RecordedMachine, later

TRAINER = f"host/run/containers/storage/overlay-containers/{'2' * 64}/userdata/config.json"
POSTGRES = f"host/run/containerd/io.containerd.runtime.v2.task/k8s.io/{'a' * 64}/config.json"


def held(machine: RecordedMachine) -> dict[str, Allocation]:
    source = machine.source()
    source.read(START)
    described = source.read(later(11_000)).node
    assert described is not None
    return {allocation.workload: allocation for allocation in described.allocations}


def test_crio_tells_image_and_command(tmp_path: Path) -> None:
    """config.json of the OCI bundle: CRI-O's annotation, and process.args."""
    machine = RecordedMachine.load("kubernetes-v2-crio", tmp_path)
    bundle = json.loads((tmp_path / TRAINER).read_text())
    bundle["annotations"]["io.kubernetes.cri-o.ImageName"] = "quay.io/ml/resnet:2"
    bundle["process"] = {"args": ["python", "train.py", "--batch-size", "64"], "env": ["TOKEN=1"]}
    machine.write(TRAINER, json.dumps(bundle))
    found = held(machine)["prod/ml/Job/train-resnet/trainer"]
    assert (found.image, found.command) == ("quay.io/ml/resnet:2", "python train.py --batch-size 64")


def test_containerd_tells_the_image_since_1_6(tmp_path: Path) -> None:
    machine = RecordedMachine.load("kubernetes-v2-systemd", tmp_path)
    notes = {
        "io.kubernetes.cri.container-type": "container",
        "io.kubernetes.cri.container-name": "postgres",
        "io.kubernetes.cri.sandbox-name": "postgres-0",
        "io.kubernetes.cri.sandbox-namespace": "databases",
        "io.kubernetes.cri.image-name": "docker.io/library/postgres:16",
    }
    machine.write(POSTGRES, json.dumps({"annotations": notes, "process": {"args": None}}))
    found = held(machine)["prod/databases/StatefulSet/postgres/postgres"]
    assert (found.image, found.command) == ("docker.io/library/postgres:16", "")


def test_docker_tells_the_image(tmp_path: Path) -> None:
    """The recorded compose service runs redis:7; nothing is made up for units."""
    found = held(RecordedMachine.load("systemd-v2", tmp_path))
    assert found["prod/host/container/shop:cache/"].image == "redis:7"
    assert {a.image for a in found.values() if "/unit/" in a.workload} == {""}


def test_what_one_source_tells_is_kept_beside_another() -> None:
    """The host knows the image, NVML the GPU of the same instance."""
    host = Node("c", "n", 1, allocations=(Allocation("w", "i", 1.0, image="bert:1", command="train"),))
    nvml = Node("c", "n", 2, allocations=(Allocation("w", "i", gpu_uuids=("G",)),))
    for parts in ((host, nvml), (nvml, host)):
        assert joined(parts).allocations == (Allocation("w", "i", 1.0, None, ("G",), "bert:1", "train"),)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train.py", "--lr", "1e-4"], "train.py --lr 1e-4"),
        (["x", "--password", "hunter2", "--db", "a"], "x --password *** --db a"),
        (["x", "--api-key=abc", "MYSQL_PASSWORD=abc"], "x --api-key=*** MYSQL_PASSWORD=***"),
        (["x", "postgres://me:abc@db/shop"], "x postgres://***@db/shop"),
        (["x", "--token", "--verbose"], "x --token --verbose"),
        (["sh", "-c", "a\nb\t c"], "sh -c a b c"),
        ([], ""),
    ],
)
def test_what_looks_like_a_secret_is_left_out(arguments: list[str], told: str) -> None:
    assert command_line(arguments) == told


@given(
    st.lists(st.text("ghijk-=/@:. \n", max_size=40), max_size=40), st.text("abcdef0123456789", min_size=20, max_size=30)
)
def test_no_value_of_a_secret_option_gets_through(words: list[str], secret: str) -> None:
    """Whatever stands around it; and a line is one line and bounded."""
    line = command_line([*words, "--client-secret", secret, f"--auth-token={secret}", *words])
    assert secret not in line
    assert len(line) <= COMMAND_CHARACTERS
    assert "\n" not in line
