"""GPUs with instances on them, written down and drawn at random."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from models.hardware.geometry import Slot, best_start
from models.hardware.mig_table import MIG_GPUS
from recommender.mig.demand import GpuKind, Instance
from recommender.mig.match import GpuState

KIND = GpuKind("a100", MIG_GPUS["A100-80"])
KEYS = ("1g", "2g", "3g", "4g", "7g")


def gpu(uuid: str, *instances: tuple[str, int, str]) -> GpuState:
    return GpuState(uuid, "a100", tuple(Instance(Slot(start, key), tenant) for key, start, tenant in instances))


@st.composite
def states(draw: st.DrawFn) -> list[GpuState]:
    """One to three GPUs, filled with tenants of their own of which some have left again: fragmented as time does it.

    Drawn through a seed: hypothesis alone prefers empty GPUs, on which there is nothing to move.
    """
    random, gpus = Random(draw(st.integers(0, 2**32))), []
    for n in range(draw(st.integers(1, 3))):
        instances: list[Instance] = []
        for m, key in enumerate(random.choices(KEYS, weights=(4, 3, 2, 1, 0.2), k=12)):
            start = best_start(KIND.mig, [i.slot for i in instances], key)
            if start is not None:
                instances.append(Instance(Slot(start, key), f"t{n}-{m}"))
        gpus.append(GpuState(f"g{n}", "a100", tuple(i for i in instances if random.random() < 0.6)))
    return gpus
