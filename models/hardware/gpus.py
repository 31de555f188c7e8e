"""GPU models: peaks, memory, links, power. Dense peaks; sparse ones are twice that.

`checked` is True where a vendor page confirms the numbers that decide (memory bandwidth and bf16), else they stand as
in the vendor's data sheet. A peak that a chip does not have, or that no source tells, is None. GB here is 10^9.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.hardware.geometry import MigGpu
from models.hardware.mig_table import GIB, MIG_GPUS
from models.hardware.prices import PRICES, Price

TERA, GIGA = 1e12, 1e9


@dataclass(frozen=True, slots=True)
class GpuModel:
    """Peaks in FLOP/s, links and memory in bytes/s, both directions of a link together as vendors print them.

    fp64_flops: the larger of vector and tensor FP64. nvml_names: what NVML calls it, without the vendor.
    pci_device_ids: upper-case hexadecimal.
    """

    name: str
    nvml_names: tuple[str, ...]
    pci_device_ids: tuple[str, ...]
    multiprocessors: int | None
    fp64_flops: float | None
    fp32_flops: float | None
    tf32_flops: float | None
    bf16_flops: float | None
    fp8_flops: float | None
    memory_bytes: int
    memory_bytes_per_s: float
    nvlink_bytes_per_s: float
    pcie_generation: int | None
    tdp_watts: float | None
    mig_board: str | None
    checked: bool

    @property
    def mig(self) -> MigGpu | None:
        """What it can be cut into by the table; None: MIG is not known for it."""
        return MIG_GPUS[self.mig_board] if self.mig_board else None

    @property
    def indicative_price(self) -> Price | None:
        """What renting one costs somewhere, with the source and the day; None: no source was read for it."""
        return PRICES.get(self.name)

    @property
    def int8_ops(self) -> float | None:
        """Dense int8 operations/s; None where the chip has no such path or no source tells."""
        return _t(_INT8_TERA.get(self.name))

    @property
    def ridge_flop_per_byte(self) -> float | None:
        """Arithmetic intensity at which dense bf16 and memory bandwidth limit alike (roofline ridge point)."""
        return None if self.bf16_flops is None else self.bf16_flops / self.memory_bytes_per_s


def _t(tera: float | None) -> float | None:
    return None if tera is None else tera * TERA


def _gpu(
    name: str,
    nvml: str,
    pci: str,
    sms: int | None,
    tera: tuple[float | None, float | None, float | None, float | None, float | None],
    memory_gib: int,
    gb_per_s: tuple[float, float],
    pcie: int | None,
    tdp: float | None,
    board: str | None,
    checked: bool,
) -> GpuModel:
    """One row. tera: fp64, fp32, tf32, bf16, fp8 in TFLOP/s. gb_per_s: memory, NVLink. nvml: names parted by `|`."""
    fp64, fp32, tf32, bf16, fp8 = map(_t, tera)
    return GpuModel(
        name,
        tuple(filter(None, nvml.split("|"))),
        tuple(filter(None, pci.split("|"))),
        sms,
        fp64,
        fp32,
        tf32,
        bf16,
        fp8,
        memory_gib * GIB,
        gb_per_s[0] * GIGA,
        gb_per_s[1] * GIGA,
        pcie,
        tdp,
        board,
        checked,
    )


_INT8_TERA = {
    "T4": 130.0, "A10": 250.0, "A30": 330.0, "A40": 299.3, "L4": 242.0, "L40S": 733.0, "A100-SXM-40": 624.0,
    "A100-PCIe-40": 624.0, "A100-SXM-80": 624.0, "A100-PCIe-80": 624.0, "A800-SXM-40": 624.0, "A800-PCIe-40": 624.0,
    "A800-SXM-80": 624.0, "A800-PCIe-80": 624.0, "H800-PCIe-80": 1513.0, "H800-SXM-80": 1979.0, "H800-NVL-94": 1671.0,
    "H20-96": 296.0, "H100-PCIe-80": 1513.0, "H100-SXM-80": 1979.0,
    "H100-NVL-94": 1671.0, "H100-SXM-96": 1979.0, "GH200-96": 1979.0, "GH200-144": 1979.0, "H200-141": 1979.0,
    "H200-NVL-141": 1671.0, "B200-180": 4500.0, "GB200-186": 5000.0, "RTX-PRO-6000-96": 1000.0, "MI300X": 2614.9,
    "TPU-v4": 275.0, "TPU-v5e": 393.0, "TPU-v5p": 918.0, "TPU-v6e": 1836.0,
}  # fmt: skip
_V100 = (7.8, 15.7, None, 125.0, None)  # the tensor peak is fp16: Volta has no bf16
_V100_PCIE = (7.0, 14.0, None, 112.0, None)
# A800 and H800 were made for export, with links of 400 GB/s; H800 and H20 have hardly any FP64. Where no source tells how
# much, it is None.
_A100 = (19.5, 19.5, 156.0, 312.0, None)
_H100_PCIE = (51.0, 51.0, 378.0, 756.0, 1513.0)
_H100_NVL = (60.0, 60.0, 417.0, 835.0, 1671.0)
_B200 = (37.0, 75.0, 1100.0, 2250.0, 4500.0)
_GB200 = (40.0, 80.0, 1250.0, 2500.0, 5000.0)
_B300 = (1.25, 75.0, 1125.0, 2250.0, 4500.0)
_MI300X = (163.4, 163.4, 653.7, 1307.4, 2614.9)
_RTX_6000 = "RTX PRO 6000 Blackwell Server Edition"
# NVIDIA prints 125 TFLOP/s fp32 and 4,000 fp4 with sparsity: dense 2,000 fp4, and half as much with each wider type.
_RTX_PEAKS = (1.95, 125.0, 250.0, 500.0, 1000.0)
_H100 = (67.0, 67.0, 494.0, 989.0, 1979.0)

# fmt: off
GPU_MODELS: tuple[GpuModel, ...] = (
    _gpu("V100-SXM2-16", "V100-SXM2-16GB", "1DB1", 80, _V100, 16, (900, 300), 3, 300, None, True),
    _gpu("V100-SXM2-32", "V100-SXM2-32GB", "1DB5", 80, _V100, 32, (900, 300), 3, 300, None, True),
    _gpu("V100-PCIe-16", "V100-PCIE-16GB", "1DB4", 80, _V100_PCIE, 16, (900, 0), 3, 250, None, False),
    _gpu("V100-PCIe-32", "V100-PCIE-32GB", "1DB6", 80, _V100_PCIE, 32, (900, 0), 3, 250, None, False),
    _gpu("T4", "T4", "1EB8", 40, (0.25, 8.1, None, 65.0, None), 16, (320, 0), 3, 70, None, True),
    _gpu("A10", "A10", "2236", 72, (0.49, 31.2, 62.5, 125.0, None), 24, (600, 0), 4, 150, None, True),
    _gpu("A30", "A30", "20B7", 56, (10.3, 10.3, 82.0, 165.0, None), 24, (933, 200), 4, 165, "A30-24", False),
    _gpu("A40", "A40", "2235", 84, (0.58, 37.4, 74.8, 149.7, None), 48, (696, 112.5), 4, 300, None, False),
    _gpu("L4", "L4", "27B8", 58, (0.47, 30.3, 60.0, 121.0, 242.0), 24, (300, 0), 4, 72, None, True),
    _gpu("L40S", "L40S", "26B9", 142, (1.4, 91.6, 183.0, 362.0, 733.0), 48, (864, 0), 4, 350, None, True),
    _gpu("A100-SXM-40", "A100-SXM4-40GB", "20B0", 108, _A100, 40, (1555, 600), 4, 400, "A100-40", True),
    _gpu("A100-PCIe-40", "A100-PCIE-40GB", "20B1|20F1", 108, _A100, 40, (1555, 600), 4, 250, "A100-40", False),
    _gpu("A100-SXM-80", "A100-SXM4-80GB", "20B2", 108, _A100, 80, (2039, 600), 4, 400, "A100-80", True),
    _gpu("A100-PCIe-80", "A100 80GB PCIe", "20B5", 108, _A100, 80, (1935, 600), 4, 300, "A100-80", False),
    _gpu("A800-SXM-40", "A800-SXM4-40GB", "20BD", 108, _A100, 40, (1555, 400), 4, 400, "A100-40", False),
    _gpu("A800-PCIe-40", "A800-PCIE-40GB|A800 40GB Active", "20F6", 108, _A100, 40, (1555, 400), 4, 250, "A100-40", False),
    _gpu("A800-SXM-80", "A800-SXM4-80GB", "20F3", 108, _A100, 80, (2039, 400), 4, 400, "A100-80", False),
    _gpu("A800-PCIe-80", "A800 80GB PCIe", "20F5", 108, _A100, 80, (1935, 400), 4, 300, "A100-80", False),
    _gpu("H100-PCIe-80", "H100 PCIe", "2331", 114, _H100_PCIE, 80, (2000, 600), 5, 350, "H100-80-PCIe", True),
    _gpu("H100-SXM-80", "H100 80GB HBM3", "2330", 132, _H100, 80, (3350, 900), 5, 700, "H100-80", True),
    _gpu("H100-NVL-94", "H100 NVL", "2321", 132, _H100_NVL, 94, (3900, 600), 5, 400, "H100-94", False),
    _gpu("H100-SXM-96", "H100 96GB HBM3", "233D", 132, _H100, 96, (3350, 900), 5, 700, "H100-96", False),
    _gpu("H800-PCIe-80", "H800 PCIe", "2322", 114, (None, *_H100_PCIE[1:]), 80, (2000, 400), 5, 350, "H100-80-PCIe", False),
    _gpu("H800-SXM-80", "H800", "2324", 132, (1.0, *_H100[1:]), 80, (3350, 400), 5, 700, "H100-80", False),
    _gpu("H800-NVL-94", "H800 NVL", "233A", 132, (None, *_H100_NVL[1:]), 94, (3900, 400), 5, 400, "H100-94", False),
    _gpu("H20-96", "H20", "2329", 78, (1.0, 44.0, 74.0, 148.0, 296.0), 96, (4000, 900), 5, 400, "H100-96", False),
    _gpu("GH200-96", "GH200 480GB|GH200 120GB", "2342", 132, _H100, 96, (4000, 900), 5, 700, "H100-96", True),
    _gpu("GH200-144", "GH200 144G HBM3e", "2348", 132, _H100, 144, (4800, 900), 5, 700, "GH200-144", False),
    _gpu("H200-141", "H200|H200 SXM", "2335", 132, _H100, 141, (4800, 900), 5, 700, "H200-141", True),
    _gpu("H200-NVL-141", "H200 NVL", "233B", 132, _H100_NVL, 141, (4800, 900), 5, 600, "H200-141", False),
    _gpu("B200-180", "B200", "2901", 148, _B200, 180, (7700, 1800), 5, 1000, "B200-180", True),
    _gpu("GB200-186", "GB200", "2941", None, _GB200, 186, (8000, 1800), None, 1200, "GB200-186", True),
    _gpu("B300-270", "B300|B300 SXM6 AC", "3182", None, _B300, 270, (7700, 1800), 6, 1100, "B300-269", True),
    _gpu("GB300-279", "GB300", "31C2", None, (1.3, 80.0, 1250.0, 2500.0, 5000.0), 279, (8000, 1800), 6, 1400, "GB300-278", True),
    _gpu("RTX-PRO-6000-96", _RTX_6000, "2BB5", 188, _RTX_PEAKS, 96, (1597, 0), 5, 600, "RTX-PRO-6000-96", False),
    _gpu("MI300X", "Instinct MI300X|MI300X", "74A1", 304, _MI300X, 192, (5300, 896), 5, 750, None, True),
    _gpu("TPU-v4", "TPU v4", "", 2, (None, None, None, 275.0, None), 32, (1200, 300), None, None, None, True),
    _gpu("TPU-v5e", "TPU v5e", "", 1, (None, None, None, 197.0, None), 16, (800, 400), None, None, None, True),
    _gpu("TPU-v5p", "TPU v5p", "", 2, (None, None, None, 459.0, None), 95, (2765, 600), None, None, None, True),
    _gpu("TPU-v6e", "TPU v6e", "", 1, (None, None, None, 918.0, None), 32, (1600, 800), None, None, None, True),
)
# fmt: on
