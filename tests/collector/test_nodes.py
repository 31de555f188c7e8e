"""One node out of what several sources know of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from collector.nodes import joined
from collector.settings import FactsSettings
from collector.source import Moment
from collector.told import ToldSource
from models.inventory import Node
from models.taints import CORDONED, Taint

GPU = Taint("nvidia.com/gpu", "NoSchedule", "present")
OTHER_VALUE = Taint("nvidia.com/gpu", "NoSchedule", "yes")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([None, None], None),
        ([None, ()], ()),
        ([(), None, (GPU,)], (GPU,)),
        ([(GPU,), (CORDONED, GPU)], (GPU, CORDONED)),
        ([(OTHER_VALUE,), (GPU,)], (OTHER_VALUE,)),
    ],
)
def test_taints_of_all_sources_count(
    parts: Sequence[tuple[Taint, ...] | None], expected: tuple[Taint, ...] | None
) -> None:
    """They are known once one source tells; of one key and effect the first source's value stands."""
    assert joined([Node("c", "n", 1, taints=taints) for taints in parts]).taints == expected


@pytest.mark.parametrize(
    ("told", "known"), [(None, None), ((), ()), (("team=ml:NoExecute",), (Taint("team", "NoExecute", "ml"),))]
)
def test_a_machine_outside_kubernetes_has_the_taints_of_its_settings(
    told: tuple[str, ...] | None, known: tuple[Taint, ...] | None
) -> None:
    """An empty list says that there are none, which no list does not."""
    node = ToldSource(FactsSettings(zone="a", taints=told), "c", "n").read(Moment(0, 0)).node
    assert node is not None
    assert node.taints == known
