"""What the settings say of this node: for what no source can know, such as its price, or knows wrongly."""

from __future__ import annotations

from collector.settings import FactsSettings
from collector.source import Moment, Reading
from models.inventory import Node
from models.taints import read_taint


class ToldSource:
    """Says it once. It comes before all other sources, so that what it says wins."""

    name = "settings"

    def __init__(self, facts: FactsSettings, cluster: str, node: str) -> None:
        self._facts, self._cluster, self._node = facts, cluster or node, node
        self._said = False

    def read(self, now: Moment) -> Reading:
        if self._said:
            return Reading()
        self._said = True
        facts = self._facts
        told = Node(
            self._cluster,
            self._node,
            now.wall_ms,
            labels=dict(facts.labels),
            zone=facts.zone,
            spot=facts.spot,
            price_usd_per_hour=facts.price_usd_per_hour,
            taints=None if facts.taints is None else tuple(map(read_taint, facts.taints)),
        )
        return Reading(node=told)

    def state(self) -> bytes:
        return b""

    def restore(self, state: bytes, now: Moment) -> None:
        return None

    def close(self) -> None:
        return None
