"""What an hour of one GPU costs to rent on demand: indicative, for a first ranking where a node says no price itself.

List prices of one provider each, per GPU or TPU chip (a price of a machine with several is divided), without commitment
or spot discount. Providers differ by a factor of three for the same GPU, so a node's own price always wins. Sources are
the public catalogues of SkyPilot and gpuhunt at the commits named; they keep what the provider's API told that day.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """`read_on`: the day the source was read (ISO 8601). `source`: who asks this price, and where it stands."""

    usd_per_hour: float
    source: str
    read_on: str


_READ_ON = "2026-11-24"
_CATALOG = "SkyPilot catalog v8, commit {}"
_VERDA = f"Verda on demand; {_CATALOG.format('000c1d0b')}"
_LAMBDA = f"Lambda on demand; {_CATALOG.format('0f407038')}"
_RUNPOD = f"RunPod secure cloud; {_CATALOG.format('01acdfd4')}"
_SEEWEB = f"Seeweb on demand; {_CATALOG.format('004a1aef')}"
_GOOGLE = f"Google Cloud on demand, us-central1; {_CATALOG.format('006059e0')}"
_GOOGLE_TPU = "Google Cloud on demand, US; gpuhunt tpu_pricing.json, commit ad703ef4"

PRICES: dict[str, Price] = {
    name: Price(usd, source, _READ_ON)
    for name, usd, source in (
        ("V100-SXM2-16", 0.79, _LAMBDA),
        ("A30", 0.29, _SEEWEB),
        ("L4", 0.38, _SEEWEB),
        ("L40S", 0.99, _RUNPOD),
        ("A100-SXM-80", 1.29, _VERDA),
        ("A100-PCIe-80", 1.39, _RUNPOD),
        ("H100-SXM-80", 2.29, _VERDA),
        ("H200-141", 3.39, _VERDA),
        ("GH200-96", 2.29, _LAMBDA),
        ("B200-180", 4.89, _VERDA),
        ("B300-270", 6.99, _VERDA),
        ("RTX-PRO-6000-96", 1.69, _VERDA),
        ("MI300X", 2.39, _RUNPOD),
        ("TPU-v4", 3.22, _GOOGLE_TPU),
        ("TPU-v5e", 1.20, _GOOGLE_TPU),
        ("TPU-v5p", 4.20, _GOOGLE_TPU),
        ("TPU-v6e", 2.70, _GOOGLE),
    )
}
"""By name of `GpuModel`. A model that is missing here was in none of the catalogues read."""
