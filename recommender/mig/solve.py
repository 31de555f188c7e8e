"""The packing problem as an integer programme, for HiGHS.

y_l GPUs get full layout l, x_(d,g) instances of size g serve demand d:
minimise sum cost_l y_l  subject to  sum_d x_(d,g) <= sum_l n_(l,g) y_l  for every size g,
sum_g gives_(d,g) x_(d,g) >= amount_d for every demand d, and sum_(l of kind k) y_l <= count_k.
The problem is small (67 integers for 11 services on one kind of GPU): it does not grow with the number of GPUs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from models.hardware.geometry import Layout, layouts
from recommender.mig.demand import Demand, GpuKind, Size

_AMOUNT = 1000.0
"""Every amount is scaled to this: HiGHS takes a row for met within 1e-6, which is then 1e-9 of the amount."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How many GPUs of each layout, and how many instances of each size for each demand."""

    layouts: Mapping[tuple[str, Layout], int]
    instances: Mapping[tuple[str, Size], int]
    cost: float
    bound: float
    proven: bool


@dataclass(frozen=True, slots=True)
class Infeasible:
    """The inventory cannot carry the demands: proven by the solver."""


def solve(demands: Sequence[Demand], kinds: Sequence[GpuKind], time_limit_s: float) -> Choice | Infeasible | None:
    """The cheapest choice. None when the time was up before any was found."""
    plan = _Plan.of(demands, kinds)
    if not plan.pairs:
        return Choice({}, {}, 0.0, 0.0, True)
    result = milp(
        c=plan.costs(),
        constraints=[plan.supply(), plan.cover(), plan.inventory()],
        integrality=np.ones(plan.width),
        bounds=Bounds(0, np.inf),
        options={"time_limit": time_limit_s, "mip_rel_gap": 0.0},
    )
    if result.status == 2:  # 2: proven infeasible
        return Infeasible()
    return None if result.x is None else plan.choice(result.x, float(result.mip_dual_bound), result.status == 0)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Columns of the programme: first the layouts, then the (demand, size) pairs."""

    demands: Sequence[Demand]
    kinds: Sequence[GpuKind]
    shapes: Sequence[tuple[GpuKind, Layout]]
    pairs: Sequence[tuple[Demand, Size]]

    @classmethod
    def of(cls, demands: Sequence[Demand], kinds: Sequence[GpuKind]) -> _Plan:
        known = {Size(kind.name, profile.key) for kind in kinds for profile in kind.mig.sizes}
        shapes = [(kind, layout) for kind in kinds for layout in layouts(kind.mig)]
        pairs = [(d, size) for d in demands for size, gives in d.gives.items() if size in known and gives > 0]
        return cls(demands, kinds, shapes, pairs)

    @property
    def width(self) -> int:
        return len(self.shapes) + len(self.pairs)

    def costs(self) -> NDArray[np.float64]:
        return np.array([kind.cost for kind, _ in self.shapes] + [0.0] * len(self.pairs))

    def supply(self) -> LinearConstraint:
        """Instances of a size that are used are at most those that the layouts hold."""
        sizes = sorted({size for _, size in self.pairs})
        rows = csr_array(np.array([self._supply_row(size) for size in sizes]))
        return LinearConstraint(rows, -np.inf, 0)

    def cover(self) -> LinearConstraint:
        """Each demand is met; the amount is scaled to _AMOUNT."""
        rows = np.zeros((len(self.demands), self.width))
        row_of = {demand.name: row for row, demand in enumerate(self.demands)}
        for column, (demand, size) in enumerate(self.pairs, start=len(self.shapes)):
            rows[row_of[demand.name], column] = _AMOUNT * demand.gives[size] / demand.amount
        return LinearConstraint(csr_array(rows), _AMOUNT, np.inf)

    def inventory(self) -> LinearConstraint:
        rows = np.zeros((len(self.kinds), self.width))
        for column, (kind, _) in enumerate(self.shapes):
            rows[self.kinds.index(kind), column] = 1
        limits = [np.inf if kind.count is None else kind.count for kind in self.kinds]
        return LinearConstraint(csr_array(rows), -np.inf, limits)

    def choice(self, x: NDArray[np.float64], bound: float, optimal: bool) -> Choice:
        counts = np.rint(x).astype(int)
        cost = float(self.costs() @ counts)
        split = len(self.shapes)
        return Choice(
            {(kind.name, layout): int(n) for (kind, layout), n in zip(self.shapes, counts[:split], strict=True) if n},
            {(d.name, size): int(n) for (d, size), n in zip(self.pairs, counts[split:], strict=True) if n},
            cost,
            bound,
            optimal,
        )

    def _supply_row(self, size: Size) -> list[float]:
        held = [-_count(layout, size.key) if kind.name == size.kind else 0 for kind, layout in self.shapes]
        return [*held, *(1 if other == size else 0 for _, other in self.pairs)]


def _count(layout: Layout, key: str) -> int:
    return Counter(slot.key for slot in layout)[key]
