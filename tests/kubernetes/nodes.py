"""Nodes, as the inventory tells of them and as the cluster has them."""

from __future__ import annotations

from deploy.services.kubernetes import KubernetesCluster
from models.inventory import Allocation, Gpu, GpuLink, MigInstance, Node
from tests.kubernetes.fleet import A100, CLUSTER, GIB

CORES, GPUS = 64, 8
SLICE = "3g.20gb"


def whole_gpus(name: str, held: int) -> Node:
    """Eight GPUs, of which the first `held` are taken by jobs of eight cores each."""
    uuids = [f"{name}-{number}" for number in range(GPUS)]
    gpus = tuple(Gpu(u, A100, 40 * GIB, links=tuple(GpuLink(v, "nvlink") for v in uuids if v != u)) for u in uuids)
    jobs = tuple(Allocation(f"{CLUSTER}/lab/Job/{u}/main", u, 8.0, 32 * GIB, (u,)) for u in uuids[:held])
    return Node(CLUSTER, name, 1, cpu_cores=CORES, memory_bytes=512 * GIB, gpus=gpus, allocations=jobs)


def sliced(name: str) -> Node:
    """One GPU, with one slice that nobody has."""
    gpu = Gpu(f"{name}-0", A100, 40 * GIB, mig_enabled=True, mig=(MigInstance(f"{name}-mig", SLICE, 0),))
    return Node(CLUSTER, name, 1, cpu_cores=CORES, memory_bytes=512 * GIB, gpus=(gpu,))


PACKED, EMPTY = whole_gpus("packed", held=7), whole_gpus("empty", held=0)
SLICED, UNCUT = sliced("sliced"), whole_gpus("uncut", held=0)
INVENTORY = (PACKED, EMPTY, SLICED, UNCUT)


def add(cluster: KubernetesCluster, node: Node, group: str, resources: dict[str, str]) -> None:
    """The node as the cluster has it, with labels by which pods choose theirs."""
    capacity = {"cpu": str(CORES), "memory": "512Gi", **resources}
    cluster.add_node(node.name, capacity, {"group": group, "node": node.name})
