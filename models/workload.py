"""Who a workload is: a name that is stable over restarts and roll-outs."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from urllib.parse import quote, unquote

_SAFE = "-._~@+:"  # `/` separates the parts of an id, so inside a part it is percent-encoded


@dataclass(frozen=True, slots=True)
class WorkloadName:
    """What stays the same when a pod, a roll-out, a job run or a process is replaced.

    Kubernetes: cluster, namespace, owner kind, owner name, container.
    Slurm: cluster, account, `slurm-job`, job name, step.
    Bare host: machine, `host`, `unit` or `command`, its name, empty container.
    A pod name, roll-out hash or process id is an instance, never part of the name.
    """

    cluster: str
    namespace: str
    kind: str
    name: str
    container: str = ""

    def __str__(self) -> str:
        return "/".join(quote(part, safe=_SAFE) for part in self._parts())

    @classmethod
    def parse(cls, workload_id: str) -> WorkloadName:
        """The name behind an id. Raises ValueError when it has not five parts."""
        parts = workload_id.split("/")
        if len(parts) != 5:
            raise ValueError(
                f"workload id {workload_id!r} has {len(parts)} parts; it needs 5: "
                "cluster/namespace/kind/name/container (the last may be empty)"
            )
        return cls(*(unquote(part) for part in parts))

    def _parts(self) -> tuple[str, str, str, str, str]:
        return self.cluster, self.namespace, self.kind, self.name, self.container


def partition_of(workload_id: str, partitions: int) -> int:
    """The partition that carries a workload, the same for every producer, language and run (CRC-32)."""
    return zlib.crc32(workload_id.encode()) % partitions
