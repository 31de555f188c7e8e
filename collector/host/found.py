"""What a cgroup's path says of the workload in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KubeContainer:
    """A container of a pod. `qos`: guaranteed, burstable or besteffort."""

    pod_uid: str
    container_id: str
    qos: str


@dataclass(frozen=True, slots=True)
class SlurmStep:
    """A step of a Slurm job: `batch`, `extern`, `interactive` or a number."""

    job_id: str
    step: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd service or scope; `user` when it belongs to a user's own manager."""

    name: str
    user: bool = False


@dataclass(frozen=True, slots=True)
class PlainContainer:
    """A container that nothing orchestrates. `runtime`: docker or podman."""

    runtime: str
    container_id: str


Found = KubeContainer | SlurmStep | Unit | PlainContainer
