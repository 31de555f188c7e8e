"""What the recommender keeps of a workload besides its profile: the experts' record, and the limits they led to.

A record is 1.2 KB, so that profile and record are under 8 KB. Mean losses lie between 0 and 1 and are kept as 16-bit
fractions: 1.5e-5 a step, and as a loss weighs 1/43 at most in the long run, the error stays under 3.3e-4 where choosing
between experts tells 5e-3 apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.columns import Array, Columns, Field, empty_arrays
from models.profile import RESOURCES
from recommender.sizing.experts.calibrate import PRICES
from recommender.sizing.experts.catalogue import EXPERTS, Resource
from recommender.sizing.experts.explain import SHOWN
from recommender.sizing.experts.ledger import Ledger
from recommender.sizing.experts.prior import Traits

_R = len(RESOURCES)
_NAN = float("nan")
_FRACTION = 65_535.0
NAMES: tuple[Resource, ...] = ("cpu", "memory")

RECORD_FIELDS: tuple[Field, ...] = (
    Field("through_day", "int32", (), "newest finished UTC day that was charged to the experts", -1),
    Field(
        "cap", "float64", (_R,), "no size above is of use: the largest limit so far; CPU: 5 % above all usage too", _NAN
    ),
    Field("traits", "float32", (_R, 4), "level, fill, spread, volatility of the days charged (experts.prior)", _NAN),
    Field("weight", "float32", (_R,), "decayed number of days behind the mean losses"),
    *(
        Field(f"{name}_{part}", "uint16", (len(EXPERTS[name]),), f"mean {part} of each expert, in 65,535ths")
        for name in NAMES
        for part in ("slack", "overrun")
    ),
    *(
        Field(f"{name}_priced", "float32", (len(PRICES[name]),), "limit at each price of risk for the next day", _NAN)
        for name in NAMES
    ),
    Field("limit", "float64", (_R,), "limit for the next day at the target rate", _NAN),
    Field("rate", "float32", (_R,), "target rate it was found for", _NAN),
    Field("days", "uint8", (_R,), "days with usage among the 30 behind it"),
    Field(
        "own_share", "float32", (_R,), "part of the evidence that is the workload's own; the rest is its class", _NAN
    ),
    Field("slack", "float32", (_R,), "slack that is expected of the limit", _NAN),
    Field("overrun", "float32", (_R,), "overrun that is expected of it: memory days, CPU time", _NAN),
    Field("carrier", "uint8", (_R, SHOWN), "numbers of the heaviest experts, heaviest first"),
    Field("carrier_weight", "float32", (_R, SHOWN), "their weights", _NAN),
    Field("carrier_limit", "float32", (_R, SHOWN), "their limits", _NAN),
)

Arrays = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Records:
    """Rows of RECORD_FIELDS by workload; the arrays belong to this object and are written in place."""

    workloads: list[str]
    arrays: dict[str, Array]

    @classmethod
    def empty(cls, workloads: Sequence[str]) -> Records:
        return cls(list(workloads), empty_arrays(RECORD_FIELDS, len(workloads)))

    @classmethod
    def read(cls, columns: Columns) -> Records:
        """From decoded columns, which are read-only."""
        return cls(list(columns.workloads), {name: array.copy() for name, array in columns.arrays.items()})

    def columns(self) -> Columns:
        return Columns(RECORD_FIELDS, self.workloads, self.arrays)

    def aligned(self, workloads: Sequence[str]) -> Records:
        """The records of these workloads, in order; empty ones for those not known."""
        if self.workloads == list(workloads):
            return self
        place = {workload: row for row, workload in enumerate(self.workloads)}
        pairs = [(row, place[workload]) for row, workload in enumerate(workloads) if workload in place]
        here, there = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
        aligned = Records.empty(workloads)
        for name, array in aligned.arrays.items():
            array[here] = self.arrays[name][there]
        return aligned

    def ledger(self, resource: int, rows: Array) -> Ledger:
        """The experts' record of these rows."""
        weight = self.arrays["weight"][rows, resource]
        slack, overrun = (
            self.arrays[f"{NAMES[resource]}_{part}"][rows] * (weight[:, None] / np.float32(_FRACTION))
            for part in ("slack", "overrun")
        )
        return Ledger(slack, overrun, weight)

    def keep_ledger(self, resource: int, rows: Array, ledger: Ledger) -> None:
        """Round it to what is kept."""
        behind = np.where(ledger.weight > 0, ledger.weight, 1.0)[:, None]
        for part, total in (("slack", ledger.slack), ("overrun", ledger.overrun)):
            code = np.rint(np.clip(total / behind, 0.0, 1.0) * _FRACTION)
            self.arrays[f"{NAMES[resource]}_{part}"][rows] = code.astype(np.uint16)
        self.arrays["weight"][rows, resource] = ledger.weight

    def traits(self, resource: int, rows: Array | slice = slice(None)) -> Traits:
        return Traits(*self.arrays["traits"][rows, resource].astype(np.float64).T)
