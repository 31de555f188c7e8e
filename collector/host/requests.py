"""Requests of Kubernetes containers, computed back from what the kubelet and the runtime wrote into the kernel.

Sources: kubelet `MilliCPUToShares` (shares = milli * 1024 / 1000, at least 2); cgroup v2 weights by KEP-2254
(linear: weight = 1 + (shares - 2) * 9999 / 262142) and, since runc 1.3.2 and crun 1.23, the quadratic
log10(weight) = l * (l + 125) / 612 - 7 / 34 with l = log2(shares); kubelet `GetContainerOOMScoreAdjust`
(burstable: 1000 - 1000 * request / capacity, kept within 3 to 999).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

Formula = Literal["linear", "quadratic"]

FORMULAS: tuple[Formula, ...] = ("linear", "quadratic")

MIN_SHARES = 2
"""What a container without a CPU request gets."""


def shares_to_cores(shares: int | None) -> float | None:
    """The CPU request behind cgroup v1 cpu.shares; None when there is none (or it is 2 millicores or less)."""
    return None if shares is None or shares <= MIN_SHARES else shares / 1024


def shares_to_weight(shares: float, formula: Formula) -> int:
    """The cgroup v2 weight that a runtime writes for shares."""
    if formula == "linear":
        return 1 + int((shares - 2) * 9999 / 262142)
    if shares <= MIN_SHARES:
        return 1
    exponent = math.log2(shares)
    return min(math.ceil(10 ** (exponent * (exponent + 125) / 612 - 7 / 34)), 10_000)


def weight_to_shares(weight: int, formula: Formula) -> tuple[float, float]:
    """The range of shares that give this weight: low inclusive, high exclusive (linear) or inclusive (quadratic)."""
    if formula == "linear":
        return 2 + (weight - 1) * 262142 / 9999, 2 + weight * 262142 / 9999
    return _quadratic_inverse(max(weight - 1, 1)), _quadratic_inverse(weight)


def weight_to_cores(weight: int | None, formula: Formula | None) -> float | None:
    """The CPU request behind a cgroup v2 weight; None when there is none or the formula is not known.

    The linear weight is coarse: one step is 26 shares, so the answer is right to 13 millicores.
    """
    if weight is None or weight <= 1 or formula is None:
        return None
    low, high = weight_to_shares(weight, formula)
    return (low + high) / 2 / 1024


def formula_of(root_weight: int | None, cores: float, pods: Iterable[tuple[int, int]]) -> Formula | None:
    """Which formula the container runtime uses; None when the node does not tell.

    root_weight: cpu.weight of the kubepods cgroup, which the kubelet makes of the allocatable cores
    pods:        (weight of the pod, weight of its only container with a request): the kubelet wrote the one, the
                 runtime the other, both from the same shares
    """
    kubelet = _kubelet_formula(root_weight, cores)
    if kubelet is None:
        return None
    votes = dict.fromkeys(FORMULAS, 0)
    for pod, container in pods:
        fits = [formula for formula in FORMULAS if _agree(pod, kubelet, container, formula)]
        if len(fits) == 1:
            votes[fits[0]] += 1
    if votes["linear"] == votes["quadratic"]:
        return None
    return "linear" if votes["linear"] > votes["quadratic"] else "quadratic"


def memory_request(qos: str, limit: int | None, oom_score_adj: int | None, capacity: int) -> int | None:
    """The memory request in bytes; None when there is none or it cannot be told.

    Guaranteed: the limit. Burstable: out of oom_score_adj, right to 1/2000 of the capacity (32 MiB of 64 GiB). The two
    ends of its range (3 and 999) stand for many requests and none, and are not answered.
    """
    if qos == "guaranteed":
        return limit
    if qos != "burstable" or oom_score_adj is None or not 3 < oom_score_adj < 999:
        return None
    return round((1000 - oom_score_adj + 0.5) * capacity / 1000)


def _kubelet_formula(root_weight: int | None, cores: float) -> Formula | None:
    """The formula by which the node's cores give this weight; where some are reserved, the only one by which half of
    them or more can."""
    if root_weight is None or cores <= 0:
        return None
    for share in (1.0, 0.5):
        fits: list[Formula] = []
        for formula in FORMULAS:
            low, high = (shares_to_weight(cores * part * 1024, formula) for part in (share, 1.0))
            if low <= root_weight <= high:
                fits.append(formula)
        if len(fits) == 1:
            return fits[0]
    return None


def _agree(pod: int, kubelet: Formula, container: int, runtime: Formula) -> bool:
    """Whether some shares give both weights."""
    low_a, high_a = weight_to_shares(pod, kubelet)
    low_b, high_b = weight_to_shares(container, runtime)
    return low_a <= high_b and low_b <= high_a


def _quadratic_inverse(weight: float) -> float:
    """l * l + 125 * l - 612 * (log10(weight) + 7 / 34) = 0, solved for l > 0."""
    constant = 612 * (math.log10(weight) + 7 / 34)
    return float(2 ** ((-125 + math.sqrt(125 * 125 + 4 * constant)) / 2))
