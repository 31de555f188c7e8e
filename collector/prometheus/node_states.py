"""What keeps pods off a machine, as kube-state-metrics tells it: taints, a cordon, bad conditions."""

from __future__ import annotations

from collections.abc import Set

from collector.prometheus.answer import Labels
from collector.prometheus.pods_placed import Machine
from collector.prometheus.selector import braced
from models.taints import CONDITIONS, CORDONED, Taint, united

CORDON = "kube_node_spec_unschedulable"
TAINT = "kube_node_spec_taint"
CONDITION = "kube_node_status_condition"
METRICS = (CORDON, TAINT, CONDITION)


def questions(match: str) -> dict[str, str]:
    """By metric, as they are now: a taint that was taken off is a series that ended, which the last hour would still show."""
    return {
        CORDON: braced(CORDON, match),
        TAINT: f"{braced(TAINT, match)} == 1",
        CONDITION: f"{braced(CONDITION, match)} == 1",
    }


class NodeStates:
    """Taints by machine."""

    def __init__(self, names: Set[str]) -> None:
        """names: the metrics that the server has."""
        self._complete = TAINT in names
        self._told: set[Machine] = set()
        self._found: dict[Machine, list[Taint]] = {}

    def learn(self, machine: Machine, metric: str, labels: Labels, value: float) -> None:
        if metric == CORDON:
            self._told.add(machine)
            if value:
                self._add(machine, CORDONED)
        elif metric == TAINT:
            self._add(machine, Taint(labels.get("key", ""), labels.get("effect", ""), labels.get("value", "")))
        elif taint := CONDITIONS.get((labels.get("condition", ""), labels.get("status", "").capitalize())):
            self._add(machine, taint)

    def taints(self, machine: Machine) -> tuple[Taint, ...] | None:
        """None: kube-state-metrics does not tell of the machine now, or keeps to itself whether there are taints. What it
        does tell against the machine is told all the same."""
        found = united([self._found.get(machine, ())])
        return found if found or (self._complete and machine in self._told) else None

    def _add(self, machine: Machine, taint: Taint) -> None:
        self._found.setdefault(machine, []).append(taint)
