"""The GPU table is found by the names and ids that machines report, and NVML's word wins over it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from models.hardware.discovered import DiscoveredProfile
from models.hardware.discovery import InvalidProfileError, find_gpu, from_nvml, mig_of
from models.hardware.gpus import GPU_MODELS
from models.hardware.mig_table import GIB
from models.hardware.prices import PRICES


@pytest.mark.parametrize(
    ("nvml_name", "name"),
    [
        ("Tesla T4", "T4"),
        ("Tesla V100-SXM2-16GB", "V100-SXM2-16"),
        ("NVIDIA A100-SXM4-40GB", "A100-SXM-40"),
        ("NVIDIA A100 80GB PCIe", "A100-PCIe-80"),
        ("NVIDIA H100 80GB HBM3", "H100-SXM-80"),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "H100-SXM-80"),
        ("NVIDIA H100 NVL", "H100-NVL-94"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA GB200", "GB200-186"),
        ("Tesla V100-PCIE-32GB", "V100-PCIe-32"),
        ("NVIDIA GH200 120GB", "GH200-96"),
    ],
)
def test_names_as_nvml_prints_them(nvml_name: str, name: str) -> None:
    """With vendor and brand in front, and with a MIG suffix."""
    found = find_gpu(nvml_name)
    assert found is not None
    assert found.name == name


def test_a_pci_id_is_exact_and_comes_first() -> None:
    """NVML gives device and vendor in one word: 0x20B510DE is an A100 80GB PCIe whatever the name says."""
    found = find_gpu("NVIDIA A100-SXM4-80GB", "0x20B510DE")
    assert found is not None
    assert found.name == "A100-PCIe-80"


def test_an_unknown_gpu_is_none_and_never_a_guess() -> None:
    """A name that only begins like a known one is not that GPU."""
    assert find_gpu("NVIDIA A1000 Laptop GPU") is None
    assert find_gpu() is None
    assert mig_of("NVIDIA Something 9000") is None


def test_no_name_and_no_id_stands_twice() -> None:
    """Otherwise the order of the table would decide."""
    for field in ("nvml_names", "pci_device_ids"):
        words = [word for gpu in GPU_MODELS for word in getattr(gpu, field)]
        assert len(words) == len(set(words))


def test_the_ridge_point_is_peak_over_bandwidth() -> None:
    """A100-SXM-40: 312e12 / 1555e9 = 200.6 FLOP/byte; H20: 148e12 / 4e12 = 37; a GPU without bf16 peak has none."""
    a100, h20 = find_gpu("NVIDIA A100-SXM4-40GB"), find_gpu("NVIDIA H20")
    assert a100 is not None
    assert a100.ridge_flop_per_byte == pytest.approx(200.6, abs=0.1)
    assert replace(a100, bf16_flops=None).ridge_flop_per_byte is None
    assert h20 is not None
    assert h20.ridge_flop_per_byte == pytest.approx(37.0)


@pytest.mark.parametrize(
    ("nvml_name", "like"),
    [
        ("NVIDIA A800-SXM4-80GB", "A100-SXM-80"),
        ("NVIDIA A800 80GB PCIe", "A100-PCIe-80"),
        ("NVIDIA H800", "H100-SXM-80"),
        ("NVIDIA H800 PCIe", "H100-PCIe-80"),
    ],
)
def test_boards_for_export_compute_as_their_models_and_have_slower_links(nvml_name: str, like: str) -> None:
    """400 GB/s over NVLink in both directions, and H800 hardly any FP64: on one a link is full at half the rate, and no FP64
    job may go there by the peak of an H100."""
    found, model = find_gpu(nvml_name), find_gpu(like)
    assert found is not None
    assert model is not None
    assert found.nvlink_bytes_per_s == 400e9 < model.nvlink_bytes_per_s
    assert (found.bf16_flops, found.memory_bytes_per_s, found.mig) == (
        model.bf16_flops, model.memory_bytes_per_s, model.mig,
    )  # fmt: skip
    assert found.fp64_flops == model.fp64_flops if "A800" in nvml_name else (found.fp64_flops or 0) <= 1e12


def test_what_nvml_reports_wins_over_the_table() -> None:
    """A driver that names the 4-slice profile 4g.79gb and gives less memory is believed."""
    found = [
        DiscoveredProfile("MIG 1g.10gb", 19, 1, 7, 9 * GIB, 16, tuple((s, 1) for s in range(7))),
        DiscoveredProfile("MIG 1g.20gb", 15, 1, 4, 19 * GIB, 26, ((0, 2), (2, 2), (4, 2), (6, 2))),
        DiscoveredProfile("MIG 1g.10gb+me", 20, 1, 1, 9 * GIB, 16, tuple((s, 1) for s in range(7))),
        DiscoveredProfile("MIG 7g.79gb", 0, 7, 1, 78 * GIB, 132, ((0, 8),)),
    ]
    gpu = mig_of("NVIDIA H100 80GB HBM3", discovered=found)
    assert gpu is not None
    assert gpu.source == "nvml"
    assert [p.key for p in gpu.profiles] == ["1g", "1g+me", "1gx2m", "7g"]
    assert gpu.whole.memory_bytes == 78 * GIB


def test_a_profile_without_placement_is_refused_with_the_mend() -> None:
    """NVML gives none for a profile that the driver lists but the board cannot make."""
    with pytest.raises(InvalidProfileError, match="read it again"):
        from_nvml([DiscoveredProfile("MIG 3g.40gb", 9, 3, 2, GIB, 60, ())])


_NAMED = {
    "V100", "T4", "A10", "A30", "L4", "L40S", "A100", "H100", "H200", "GH200", "B200", "GB200", "B300", "GB300",
    "RTX-PRO-6000", "MI300X", "TPU-v4", "TPU-v5e", "TPU-v5p", "TPU-v6e",
}  # fmt: skip


def test_the_table_covers_the_gpus_that_clusters_run() -> None:
    """From V100 to GB300, and the TPUs; each with memory, bandwidth and a peak that gives a ridge point."""
    names = [gpu.name for gpu in GPU_MODELS]
    assert {want for want in _NAMED if not any(name == want or name.startswith(f"{want}-") for name in names)} == set()
    assert all(gpu.ridge_flop_per_byte for gpu in GPU_MODELS)
    assert all(gpu.memory_bytes > 0 and gpu.memory_bytes_per_s > 0 for gpu in GPU_MODELS)


def test_a_price_says_whose_it_is_and_of_which_day() -> None:
    """Indicative prices belong to rows of the table, and none is there without its source."""
    assert PRICES.keys() <= {gpu.name for gpu in GPU_MODELS}
    for price in PRICES.values():
        assert 0 < price.usd_per_hour < 20
        assert "commit" in price.source
        assert date.fromisoformat(price.read_on) <= date.today()


def test_wider_types_are_slower() -> None:
    """fp8 and int8 at least as fast as bf16, bf16 as tf32, tf32 as fp32: a slip of a column would show here."""
    for gpu in GPU_MODELS:
        peaks = [p for p in (gpu.fp8_flops, gpu.bf16_flops, gpu.tf32_flops, gpu.fp32_flops) if p is not None]
        assert peaks == sorted(peaks, reverse=True), gpu.name
        assert gpu.int8_ops is None or gpu.bf16_flops is None or gpu.int8_ops >= gpu.bf16_flops, gpu.name
