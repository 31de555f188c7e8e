"""The change budget: how many, which, and never more than the budget over all partitions."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.reasons import Action, Reason
from recommender.budget import Wish, granted, share
from recommender.sizing.policy_columns import PolicyTable
from recommender.sizing.settings import PolicyOverride, SizingPolicy
from recommender.slabs import Kept, Place, Slabs
from tests.recommender.sizing.profiles import GIB, Workload, profiles
from tests.recommender.slab_records import PARTITION, profile_message, recommendations, record_of


@given(st.integers(0, 1000), st.integers(1, 64), st.integers(0, 40_000), st.text(max_size=20))
def test_the_shares_of_all_partitions_are_the_budget(budget: int, partitions: int, day: int, namespace: str) -> None:
    shares = [share(budget, namespace, partition, partitions, day) for partition in range(partitions)]
    assert sum(shares) == budget
    assert max(shares) - min(shares) <= 1


def test_every_partition_has_its_turn() -> None:
    """One change a day and four partitions: four days, four partitions."""
    turns = [[share(1, "prod/shop", partition, 4, day) for partition in range(4)].index(1) for day in range(4)]
    assert sorted(turns) == [0, 1, 2, 3]


def test_the_largest_savings_go_first_and_what_was_spent_counts() -> None:
    """Three a day, one is spent: of savings 1, 5 and 3 the two largest go. Another namespace has its own three."""
    wanted = [Wish("slab/0", row, "prod/shop", saving, 100, 3) for row, saving in enumerate((1.0, 5.0, 3.0))]
    other = Wish("slab/0", 9, "prod/bank", 0.1, 100, 3)
    chosen = granted([*wanted, other], Counter({("prod/shop", 100): 1}), 0, 1)
    assert chosen == {("slab/0", 1), ("slab/0", 2), ("slab/0", 9)}


def test_a_namespace_lowers_so_many_targets_and_keeps_the_rest() -> None:
    """Three workloads of 1 GiB each, asking for 4, 16 and 8; one lowering a day: the one of 16 GiB. Raising is free."""
    policies = PolicyTable(SizingPolicy(), (PolicyOverride("prod/*", {"lowerings_per_namespace_day": 1}),))
    rows = [
        Workload(
            memory=[GIB] * 8, signals={"memory_request_bytes": size * GIB}, id=f"prod/shop/Deployment/app-{i}/main"
        )
        for i, size in enumerate((4, 16, 8, 0.5))
    ]
    slabs = Slabs(Place(PARTITION, 1), policies, {}, Kept())
    slabs.take(record_of(profile_message("slab/0", profiles(*rows)), 0))
    (decision,) = slabs.decide()
    found = recommendations(decision.message.value)
    assert found["action"][:, 1].tolist() == [Action.LEAVE, Action.LOWER, Action.LEAVE, Action.RAISE]
    assert found["target"][[0, 2], 1].tolist() == [4 * GIB, 8 * GIB]
    assert (found["reasons"][:, 1] & np.uint64(Reason.CHANGE_BUDGET) != 0).tolist() == [True, False, True, False]


def test_what_was_lowered_today_is_remembered_over_a_restart() -> None:
    """The next process finds one lowering of today in what stands, so another workload has to wait."""
    policies = PolicyTable(SizingPolicy(lowerings_per_namespace_day=1))
    one, two = (
        Workload(memory=[GIB] * 8, signals={"memory_request_bytes": 8 * GIB}, id=f"prod/shop/Deployment/{name}/main")
        for name in ("one", "two")
    )
    first = Slabs(Place(PARTITION, 1), policies, {}, Kept())
    first.take(record_of(profile_message("slab/0", profiles(one)), 0))
    (decision,) = first.decide()
    own = {"slab/0": record_of(decision.message, 0, "recommendations")}
    second = Slabs(Place(PARTITION, 1), policies, {"slab/0": 0, "slab/1": 1}, Kept(own))
    second.take(record_of(profile_message("slab/1", profiles(two)), 1))
    (other,) = second.decide()
    assert recommendations(other.message.value)["action"][0, 1] == Action.LEAVE
