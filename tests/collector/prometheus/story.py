"""Half a day of a cluster in which everything happens that an import tells of: what each system must answer alike."""

from __future__ import annotations

import random

from tests.collector.prometheus.world import T0, Container, Point, World, minutes

HOURS = 12
WEB = Container("shop", "web-7d9f8b6c5d-x2x4z", "nginx")
NIGHTLY = Container("shop", "nightly-28000000-abcde", "main")
TRAIN = Container("ml", "bert-0", "train", "node-2")


def story(hours: float = HOURS) -> World:
    """Scrapes at uneven times; a container killed for its memory that comes back as another one, one that ends after a
    third; owners, sizes and a change of them; a GPU with profiling counters; a machine without containers."""
    world, dice, times = World(), random.Random(7), minutes(hours)
    uneven = [round(time + dice.uniform(-8, 8), 3) for time in times]
    for container, many in ((WEB, len(times)), (NIGHTLY, len(times) // 3), (TRAIN, len(times))):
        cores = [dice.lognormvariate(-1, 0.7) for _ in range(many)]
        memory = [float(dice.randrange(2**27, 2**30)) for _ in range(many)]
        container.add_to(world, uneven[:many], cores, memory)
    _disks_and_networks(world, uneven)
    _killed(world, uneven)
    _owners(world, times)
    _sizes(world, times)
    _gpu(world, times, dice)
    _machine(world, times)
    return world


def _disks_and_networks(world: World, times: list[float]) -> None:
    for device, per_s in (("/dev/sda", 100), ("/dev/sdb", 50)):
        grown = [(time, per_s * (time - T0 + 60)) for time in times]
        world.add("container_fs_reads_bytes_total", grown, **WEB.labels, device=device)
    pod = {**WEB.labels, "container": "", "id": f"/kubepods/burstable/pod{WEB.uid}"}
    for interface, per_s in (("eth0", 1000), ("eth1", 24)):
        grown = [(time, per_s * (time - T0 + 60)) for time in times]
        world.add("container_network_receive_bytes_total", grown, **pod, interface=interface)


def _killed(world: World, times: list[float]) -> None:
    """`TRAIN` had a run before, of another id, that an OOM kill ended after the first quarter."""
    labels = {**TRAIN.labels, "container": "side"}
    quarter = len(times) // 4
    first, second = times[:quarter], times[quarter + 2 :]
    world.add("container_memory_working_set_bytes", [(time, 1e9) for time in first], **labels)
    again = {**labels, "id": labels["id"][:-1] + "e"}
    world.add("container_memory_working_set_bytes", [(time, 2e8) for time in second], **again)
    of = {"namespace": "ml", "pod": TRAIN.pod, "container": "side"}
    restarts: list[Point] = [(time, float(i >= quarter)) for i, time in enumerate(times)]
    world.add("kube_pod_container_status_restarts_total", restarts, **of)
    killed = [(time, 1.0) for time in times[quarter:]]
    world.add("kube_pod_container_status_last_terminated_reason", killed, reason="OOMKilled", **of)


def _owners(world: World, times: list[float]) -> None:
    up = [(time, 1.0) for time in times]
    owners = (
        (WEB, "ReplicaSet", "web-7d9f8b6c5d"),
        (NIGHTLY, "Job", "nightly-28000000"),
        (TRAIN, "StatefulSet", "bert"),
    )
    for pod, kind, name in owners:
        world.add("kube_pod_owner", up, namespace=pod.namespace, pod=pod.pod, owner_kind=kind, owner_name=name)
    of = {"namespace": "shop", "owner_kind": "Deployment", "owner_name": "web"}
    world.add("kube_replicaset_owner", up, replicaset="web-7d9f8b6c5d", **of)
    of = {"namespace": "shop", "owner_kind": "CronJob", "owner_name": "nightly"}
    world.add("kube_job_owner", up, job_name="nightly-28000000", **of)


def _sizes(world: World, times: list[float]) -> None:
    """Requests of `WEB` double at half time."""
    for what, of in (("requests", 1.0), ("limits", 2.0)):
        for resource, unit, size in (("cpu", "core", 0.5), ("memory", "byte", 2.0**28)):
            points = [(time, of * size * (1 + (i >= len(times) // 2))) for i, time in enumerate(times)]
            labels = {"namespace": "shop", "pod": WEB.pod, "container": WEB.name}
            world.add(f"kube_pod_container_resource_{what}", points, **labels, resource=resource, unit=unit)


def _gpu(world: World, times: list[float], dice: random.Random) -> None:
    labels = {"UUID": "GPU-aa", "modelName": "NVIDIA H100 80GB HBM3", "gpu": "0", "Hostname": "node-2"}
    labels |= {"exported_namespace": "ml", "exported_pod": TRAIN.pod, "exported_container": TRAIN.name}
    for metric, mean in (
        ("DCGM_FI_DEV_GPU_UTIL", 97.0),
        ("DCGM_FI_DEV_FB_USED", 40_960.0),
        ("DCGM_FI_DEV_POWER_USAGE", 610.0),
        ("DCGM_FI_PROF_SM_ACTIVE", 0.9),
        ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", 0.55),
        ("DCGM_FI_PROF_DRAM_ACTIVE", 0.3),
    ):
        world.add(
            metric, [(time, mean * dice.uniform(0.95, 1.0)) for time in times], **labels, instance="10.0.0.2:9400"
        )


def _machine(world: World, times: list[float]) -> None:
    labels = {"instance": "10.0.0.9:9100", "nodename": "node-9", "job": "node"}
    for mode, share in (("user", 0.5), ("idle", 0.5)):
        for cpu in "01":
            grown = [(time, share * (time - T0)) for time in times]
            world.add("node_cpu_seconds_total", grown, mode=mode, cpu=cpu, **labels)
    world.add("node_memory_MemTotal_bytes", [(time, 16e9) for time in times], **labels)
    world.add("node_memory_MemAvailable_bytes", [(time, 10e9) for time in times], **labels)
