"""The rules of a namespace, merged from what the API server says. tests/recommender/adapters does it with a real one."""

from __future__ import annotations

from decimal import Decimal

from models.owners import Owner
from recommender.admission.cluster_facts import ClusterFacts, RangeRule, merged_bounds
from recommender.admission.facts import Bounds
from recommender.admission.mode import Mode


def complete() -> ClusterFacts:
    facts = ClusterFacts()
    facts.namespaces.replace([("ns", "ns", Mode.APPLY)])
    facts.limit_ranges.replace([])
    facts.quotas.replace([])
    return facts


def test_nothing_is_known_before_all_rules_were_told() -> None:
    """A namespace without its quotas would look free of them."""
    facts = ClusterFacts()
    facts.namespaces.replace([("ns", "ns", Mode.APPLY)])
    facts.limit_ranges.replace([])
    assert facts.namespace("ns") is None
    facts.quotas.replace([])
    found = facts.namespace("ns")
    assert found is not None
    assert found.mode is Mode.APPLY
    assert facts.namespace("other") is None


def test_a_change_is_seen_though_the_namespace_was_looked_up_before() -> None:
    """Put, changed and dropped."""
    facts = complete()
    for keys, counted in ((("requests.cpu",), {"cpu"}), (("limits.memory", "cpu"), {"memory", "cpu"})):
        facts.quotas.put("ns", "q", keys)
        found = facts.namespace("ns")
        assert found is not None
        assert found.counted == counted
    facts.quotas.drop("ns", "q")
    found = facts.namespace("ns")
    assert found is not None
    assert not found.counted
    facts.namespaces.drop("ns", "ns")
    assert facts.namespace("ns") is None


def test_of_several_limit_ranges_the_strictest_counts() -> None:
    """The larger minimum, the smaller maximum and ratio."""
    one = RangeRule("Container", {"cpu": "100m"}, {"cpu": "4"}, {"cpu": "4"})
    other = RangeRule("Container", {"cpu": "200m"}, {"cpu": "8"}, {"cpu": "2", "memory": "3"})
    assert merged_bounds([one, other]) == {
        "cpu": Bounds(Decimal("0.2"), Decimal(4), Decimal(2)),
        "memory": Bounds(ratio=Decimal(3)),
    }


def test_owners_and_vpas_are_of_their_namespace() -> None:
    """The same name elsewhere is another."""
    facts, owner = complete(), Owner("Deployment", "web")
    facts.replica_sets.put("ns", "web-1", owner)
    facts.vpas.replace([("ns", "v", owner), ("ns", "only-recommends", None)])
    assert facts.parent("ns", "ReplicaSet", "web-1") == owner
    assert facts.parent("other", "ReplicaSet", "web-1") is None
    assert facts.parent("ns", "Job", "web-1") is None
    assert (facts.has_vpa("ns", owner), facts.has_vpa("other", owner)) == (True, False)
