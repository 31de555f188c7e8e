"""Machines with GPUs, as facts for the test library (nvml.c says what the keys mean)."""

from __future__ import annotations

from pathlib import Path

Facts = dict[str, object]

GIB = 2**30
NOT_SUPPORTED, NO_PERMISSION, GPU_IS_LOST, RESET_REQUIRED, DRIVER_NOT_LOADED, UNKNOWN = 3, 4, 15, 16, 9, 999
LIB_RM_VERSION_MISMATCH, UNINITIALIZED, TIMEOUT, FUNCTION_NOT_FOUND, NOT_READY = 18, 1, 10, 13, 27
A100, H100, T4 = "NVIDIA A100-SXM4-40GB", "NVIDIA H100 80GB HBM3", "Tesla T4"
A100_UUID = "GPU-a1000000-0000-0000-0000-000000000000"
T4_UUID = "GPU-74000000-0000-0000-0000-000000000000"
MIG_3G, MIG_2G = "MIG-33333333-0000-0000-0000-000000000000", "MIG-22222222-0000-0000-0000-000000000000"
GPM = {1: 62.5, 2: 50.0, 3: 25.0, 5: 40.0, 10: 30.0, 11: 0.0, 12: 12.5, 13: 6.25}
"""GPM metrics of every H100 here, in percent, by id."""


def h100_uuid(index: int) -> str:
    return f"GPU-41000000-0000-0000-0000-{index:012d}"


def t4() -> Facts:
    """One T4: Turing, so no GPM and no MIG; no NVLink either."""
    return {"gpus": 1, "clock_ms": 1_000} | gpu(0, T4_UUID, T4, "1EB810DE", 16 * GIB, {
        "util_gpu": 37, "util_memory": 12, "memory_used": 3 * GIB, "power_mw": 68_500, "power_limit_mw": 70_000,
        "sm_mhz": 1_590, "memory_mhz": 5_000, "pcie_tx_kib": 2_048, "pcie_rx_kib": 8_192, "reasons": "0x4",
        "field.83": "+68000", "processes": f"4101:{2 * GIB}", "ecc_corrected": 0, "ecc_uncorrected": 0,
    })  # fmt: skip


def a100_mig() -> Facts:
    """One A100 40 GB cut into 3g.20gb (start 4) and 2g.10gb (start 0); Ampere has no GPM."""
    whole = gpu(0, A100_UUID, A100, "20B010DE", 40 * GIB, {
        "memory_used": 9 * GIB, "power_mw": 310_000, "power_limit_mw": 400_000, "sm_mhz": 1_410, "memory_mhz": 1_215,
        "mig_mode": 1, "field.83": "+300000", "field.74": "+250000000", "field.75": 0, "field.138": "+1024",
        "field.139": "+2048", "field.197": "+1000000", "field.198": "+3000000", "reasons": "0x0",
        "ecc_corrected": 0, "ecc_uncorrected": 0,
        "processes": f"4101:{5 * GIB}:2:0 4001:{2 * GIB}:3:0",
        "profile.0": "19 1 7 14 4864 MIG 1g.5gb", "placements.19": "0:1 1:1 2:1 3:1 4:1 5:1 6:1",
        "profile.1": "14 2 3 28 9856 MIG 2g.10gb", "placements.14": "0:2 2:2 4:2",
        "profile.2": "9 3 2 42 19968 MIG 3g.20gb", "placements.9": "0:4 4:4",
    })  # fmt: skip
    return {"gpus": 1, "clock_ms": 1_000, **whole} | mig(0, 0, MIG_3G, 2, 4, 20, 5) | mig(0, 1, MIG_2G, 3, 0, 10, 2)


def h100(count: int = 1) -> Facts:
    """H100 SXM machines: GPM, and NVLink between all of them. Process 4001 + i is on GPU i."""
    facts: Facts = {"gpus": count, "clock_ms": 1_000}
    for i in range(count):
        facts |= gpu(i, h100_uuid(i), H100, "233010DE", 80 * GIB, {
            "util_gpu": 93, "util_memory": 41, "memory_used": 60 * GIB, "power_mw": 650_000, "power_limit_mw": 700_000,
            "sm_mhz": 1_980, "memory_mhz": 2_619, "mig_mode": 0, "gpm": 1, "reasons": "0x4", "field.83": "+640000",
            "field.74": "+500000000", "field.75": 0, "processes": f"{4001 + i}:{60 * GIB}",
            "ecc_corrected": 0, "ecc_uncorrected": 0,
            "gpm.20": 100, "gpm.21": 200, "gpm.60": 3_000, "gpm.61": 4_000,
        } | {f"gpm.{metric}": value for metric, value in GPM.items()})  # fmt: skip
        facts |= {f"nvlink.{i}.{j}": 1 for j in range(count) if j != i}
    return facts


def h100_mig() -> Facts:
    """One H100 cut into 3g.40gb and 2g.20gb, with GPM of each GPU instance."""
    facts = h100() | {"gpu.0.mig_mode": 1, "gpu.0.util_gpu": "", "gpu.0.util_memory": ""}
    facts |= {"gpu.0.processes": f"4101:{5 * GIB}:2:0 4001:{2 * GIB}:3:0"}
    facts |= mig(0, 0, MIG_3G, 2, 4, 40, 5, H100) | mig(0, 1, MIG_2G, 3, 0, 20, 2, H100)
    return facts | {"gi.0.2.gpm.1": 90.0, "gi.0.2.gpm.2": 80.0, "gi.0.3.gpm.1": 20.0, "gi.0.3.gpm.2": 10.0}


def gpu(index: int, uuid: str, name: str, pci_id: str, memory_bytes: int, more: Facts) -> Facts:
    bus = {"pci_bus": f"00000000:{0x17 + index:02X}:00.0", "pci_id": pci_id, "minor": index}
    known = {"uuid": uuid, "name": name, "memory_total": memory_bytes, **bus, **more}
    return {f"gpu.{index}.{key}": value for key, value in known.items()}


def mig(
    of: int,
    index: int,
    uuid: str,
    instance: int,
    start: int,
    gib: int,
    used_gib: int,
    model: str = A100,
    compute: int = 0,
) -> Facts:
    """A MIG device; its slices follow from the size: 3g of 20 or 40 GiB, 2g of 10 or 20."""
    profile = f"{'3g' if start == 4 else '2g'}.{gib}gb"
    known = {
        "uuid": uuid, "name": f"{model} MIG {profile}", "gi": instance, "ci": compute,
        "memory_total": gib * GIB, "memory_used": used_gib * GIB,
    }  # fmt: skip
    return {f"mig.{of}.{index}.{key}": value for key, value in known.items()} | {f"gi.{of}.{instance}.start": start}


def write(facts: Facts, file: Path) -> None:
    """As the library reads it at its start."""
    file.write_text("".join(f"{key} {value}\n" for key, value in facts.items()))
