"""What a scheduler knows of a job before it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_BATCH = re.compile(
    r"(?:^|\s)(?:--?(?:[a-z]+[-_])*(?:batch[-_]?size|bs)|-b|[a-z_.]*batch_size)(?:\s+|=)(\d+(?:\.\d+)?)(?=\s|$)", re.I
)
"""`--batch-size 64`, `--per_device_train_batch_size=8`, `-b 32`, `--bs 16`, `data.batch_size=4` (Hydra)."""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What is unknown is left empty or None. Quantities are of one instance.

    workload: its id (models.workload), which says cluster, namespace, kind and name; a workload of that id that is known is
    the job itself. owner: user or account. gpu_model: a name of the catalogue or of NVML. cpu_cores, memory_bytes: requested.
    """

    workload: str = ""
    image: str = ""
    command: Sequence[str] = ()
    model: str = ""
    batch_size: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    gpu_model: str = ""
    gpus: int | None = None
    cpu_cores: float | None = None
    memory_bytes: float | None = None


def batch_size_of(command: str) -> float | None:
    """The batch size that a command line asks for; None where it says none."""
    found = _BATCH.search(command)
    return float(found[1]) if found and float(found[1]) > 0 else None
