"""The placement bench: openb's files, and arrivals that are the same for every policy."""

from __future__ import annotations

import gzip
from pathlib import Path

from bench.openb import arrivals, read_cluster, read_pods

PODS = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos
a,12000,16384,1,1000,,LS
b,6000,12288,1,460,V100M32|T4|T4,LS
c,1000,1024,0,0,T4,BE
"""


def write(folder: Path) -> Path:
    with gzip.open(folder / "openb_node_list_gpu_node.csv.gz", "wt") as file:
        file.write("sn,cpu_milli,memory_mib,gpu,model\nn0,64000,262144,2,P100\nn1,96000,262144,8,T4\n")
    with gzip.open(folder / "openb_pod_list_default.csv.gz", "wt") as file:
        file.write(PODS)
    return folder


def test_nodes_and_pods_are_read_as_they_are_written(tmp_path: Path) -> None:
    """Ten GPUs; a model list is a set; a pod without GPU has no GPU model."""
    cluster, pods = read_cluster(write(tmp_path)), read_pods(tmp_path, "default")
    assert cluster.capacity_milli == 10_000
    assert cluster.gpu_whole.tolist() == [2, 8]
    assert [(p.gpus, p.gpu_milli, p.gpu_models) for p in pods] == [
        (1, 1000, ()),
        (1, 460, ("T4", "V100M32")),
        (0, 0, ()),
    ]


def test_arrivals_hold_every_pod_once_and_then_go_on_to_130_percent(tmp_path: Path) -> None:
    """13,000 milli asked for at most, and not a pod of 1000 less; the same seed gives the same order."""
    pods = read_pods(write(tmp_path), "default")
    coming = arrivals(pods, 10_000, seed=1)
    assert set(coming[:3]) == set(pods)
    assert 12_000 < sum(pod.total_gpu_milli for pod in coming) <= 13_000
    assert coming == arrivals(pods, 10_000, seed=1)
