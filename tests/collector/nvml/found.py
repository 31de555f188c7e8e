"""What a reading says, in a form that tests compare."""

from __future__ import annotations

from collector.source import Reading
from models.inventory import Coverage, Gpu

Values = dict[str, float]

API, POSTGRES, MACHINE = (
    "prod/shop/Deployment/api/api",
    "prod/databases/StatefulSet/postgres/postgres",
    "prod/host/machine/n1/",
)
"""Workloads of the recorded node: processes 4101 and 4001, and the machine itself."""


def rows(reading: Reading) -> dict[tuple[str, str], Values]:
    """Signals of each row that has a value, by workload and UUID; each pair once."""
    found: dict[tuple[str, str], Values] = {}
    for batch in reading.batches:
        assert batch.kind == "gpu"
        for i, key in enumerate(zip(batch.keys["workload"], batch.keys["gpu_uuid"], strict=True)):
            assert key not in found, f"two rows of {key}"
            found[key] = {name: column[i] for name, column in batch.signals.items() if column[i] is not None}  # type: ignore[misc]
    return found


def row(reading: Reading) -> Values:
    """The only row."""
    (values,) = rows(reading).values()
    return values


def column(reading: Reading, name: str) -> list[str]:
    """A text column of all rows."""
    return [value for batch in reading.batches for value in batch.keys[name]]


def coverage(reading: Reading) -> dict[tuple[str, str], Coverage]:
    """By source and signal; each pair once."""
    assert reading.node is not None
    found = {(line.source, line.signal): line for line in reading.node.coverage}
    assert len(found) == len(reading.node.coverage)
    return found


def gpu(reading: Reading) -> Gpu:
    """The only GPU of the node."""
    assert reading.node is not None
    (found,) = reading.node.gpus
    return found
