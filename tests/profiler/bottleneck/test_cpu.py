"""What the class of a CPU window is, with and without pressure."""

from __future__ import annotations

import pytest

from models.bottleneck import SURE, Bottleneck
from models.cpu_bottleneck import CPU_EVIDENCE, HostCeilings, cpu_evidence
from profiler.bottleneck.cpu import classify
from tests.profiler.bottleneck.windows import cpu

CALM = {
    "cpu_cores": 1.0,
    "cpu_pressure_ratio": 0.01,
    "memory_pressure_ratio": 0.0,
    "io_pressure_ratio": 0.0,
    "disk_read_bytes_per_s": 0.0,
    "disk_write_bytes_per_s": 0.0,
}
BLIND = {"cpu_cores": 0.4}

CASES = {
    "tasks wait for a CPU": (CALM | {"cpu_pressure_ratio": 0.3}, Bottleneck.COMPUTE),
    "its limit stops it": (CALM | {"cpu_throttled_ratio": 0.5}, Bottleneck.COMPUTE),
    "at its limit, no pressure known": (BLIND | {"cpu_cores": 1.9, "cpu_limit_cores": 2.0}, Bottleneck.COMPUTE),
    "memory is reclaimed": (CALM | {"memory_pressure_ratio": 0.2}, Bottleneck.MEMORY_PRESSURE),
    "tasks wait for a disk": (CALM | {"io_pressure_ratio": 0.4}, Bottleneck.IO_STORAGE),
    "the worst decides": (CALM | {"io_pressure_ratio": 0.4, "cpu_pressure_ratio": 0.2}, Bottleneck.IO_STORAGE),
    "without pressure a disk's rate tells": (
        BLIND | {"disk_read_bytes_per_s": 350e6, "disk_write_bytes_per_s": 50e6},
        Bottleneck.IO_STORAGE,
    ),
    "with pressure at nothing that rate is fine": (
        CALM | {"disk_read_bytes_per_s": 350e6, "disk_write_bytes_per_s": 50e6},
        Bottleneck.LATENCY,
    ),
    "a full network": (CALM | {"network_receive_bytes_per_s": 1e9}, Bottleneck.IO_NETWORK),
    "runs and waits for nothing that is seen": (CALM, Bottleneck.LATENCY),
    "hardly runs": (CALM | {"cpu_cores": 0.01}, Bottleneck.IDLE),
    "hardly runs for its request of 4 cores": (CALM | {"cpu_cores": 0.1, "cpu_request_cores": 4.0}, Bottleneck.IDLE),
    "hardly runs, and serves files": (
        CALM | {"cpu_cores": 0.01, "network_transmit_bytes_per_s": 1e8},
        Bottleneck.LATENCY,
    ),
    "nothing tells of disks": (BLIND, Bottleneck.INSUFFICIENT),
    "nothing tells anything": ({}, Bottleneck.INSUFFICIENT),
}


@pytest.mark.parametrize("name", CASES)
def test_the_worst_wait_decides(name: str) -> None:
    """A tenth of the time lost, a quarter of periods throttled, 0.9 of a limit, 0.6 of a link or disk."""
    window, expected = CASES[name]
    assert Bottleneck(classify(cpu(window)).bottleneck[0]) is expected


def test_rates_are_less_sure_than_pressure() -> None:
    """The disk behind a rate may be faster than assumed; pressure is time that was really lost."""
    found = classify(cpu(CALM | {"io_pressure_ratio": 0.4}, BLIND | {"disk_read_bytes_per_s": 400e6}, BLIND))
    assert found.confidence.tolist() == [1.0, SURE, 0.0]


def test_ceilings_can_be_told() -> None:
    """100 MB/s are nothing for 10 Gbit/s and 0.8 of 1 Gbit/s."""
    window = cpu(CALM | {"network_receive_bytes_per_s": 1e8})
    slow = HostCeilings(network_bytes_per_s=1.25e8)
    assert Bottleneck(classify(window).bottleneck[0]) is Bottleneck.LATENCY
    assert Bottleneck(classify(window, slow).bottleneck[0]) is Bottleneck.IO_NETWORK


def test_evidence_is_the_numbers_over_their_lines() -> None:
    """1.8 of 2 cores are at 0.9 of the limit; half of 0.25 of periods; 0.3, 0.05 and 0.2 against a tenth of the time; 0.3 of
    0.6 of 10 Gbit/s. Pressure at nothing outweighs a rate; without it 150 of 300 MB/s."""
    window = {
        "cpu_cores": 1.8, "cpu_limit_cores": 2.0, "cpu_throttled_ratio": 0.125, "cpu_pressure_ratio": 0.3,
        "memory_pressure_ratio": 0.05, "io_pressure_ratio": 0.2, "disk_read_bytes_per_s": 150e6,
        "network_receive_bytes_per_s": 375e6,
    }  # fmt: skip
    assert cpu_evidence(cpu(window))[:, 0] == pytest.approx([1.0, 0.5, 3.0, 0.5, 2.0, 0.5])
    bare = cpu_evidence(cpu({"disk_read_bytes_per_s": 100e6, "disk_write_bytes_per_s": 50e6}))[:, 0]
    assert bare[4] == pytest.approx(0.5)
    assert [one.name for one, value in zip(CPU_EVIDENCE, bare, strict=True) if value == value] == ["disk_wait_ratio"]
