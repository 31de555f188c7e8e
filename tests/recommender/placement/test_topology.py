"""Several GPUs of one node are those nearest to each other."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from models.inventory import Gpu, GpuLink, Node
from recommender.placement.inventory import TopologyLabels, facts_of
from recommender.placement.job import Job
from recommender.placement.policies import BestFitPolicy
from recommender.placement.rank import rank
from recommender.placement.topology import LINK_SCORES, nearest_slots
from tests.recommender.placement.clusters import cluster, whole

LINKS = {(0, 1): "system", (0, 2): "nvlink", (1, 2): "system", (0, 3): "system", (1, 3): "numa", (2, 3): "system"}


def test_the_pair_with_the_strongest_link_is_taken() -> None:
    """GPUs 0 and 2 share NVLink; with 0 taken, 1 and 3 share a NUMA node, which is nearer than the system bus."""
    assert nearest_slots(LINKS, [0, 1, 2, 3], 2) == ((0, 2), "nvlink")
    assert nearest_slots(LINKS, [1, 2, 3], 2) == ((1, 3), "numa")


def test_links_that_are_not_known_leave_the_first_gpus() -> None:
    """No link at all, or one missing among them: nothing is claimed of the link."""
    assert nearest_slots({}, [1, 2, 3], 2) == ((1, 2), None)
    assert nearest_slots({(0, 1): "nvlink"}, [2, 3], 2) == ((2, 3), None)


def test_a_ranking_takes_the_gpus_that_its_topology_score_speaks_of() -> None:
    """The candidate's slots are 0 and 2, and the sentence names their link."""
    node = Node(
        "c",
        "n0",
        1,
        zone="a",
        labels={"rack": "r1"},
        gpus=tuple(
            Gpu(
                f"g{a}", "NVIDIA A100-SXM4-40GB", 1, links=tuple(GpuLink(f"g{b}", LINKS[a, b]) for b in range(a + 1, 4))
            )
            for a in range(4)
        ),
    )
    facts = facts_of(node, TopologyLabels(rack=("rack",)))
    assert (facts.links, facts.domains) == (LINKS, {"zone": "c/a", "rack": "c/r1"})
    state = cluster((64, 64, 4))
    best = rank(Job(whole(2)), state, [facts], BestFitPolicy(state)).candidates[0]
    assert best.slots == (0, 2)
    assert best.factors["topology"] == (1.0, "its 2 GPUs are joined by nvlink at the weakest")


@given(
    st.lists(st.sampled_from(sorted(LINK_SCORES)), min_size=10, max_size=10),
    st.integers(2, 4),
)
def test_no_other_set_of_gpus_has_a_stronger_weakest_link(kinds: list[str], count: int) -> None:
    """Checked against all sets of five GPUs."""
    links = dict(zip(combinations(range(5), 2), kinds, strict=True))
    slots, weakest = nearest_slots(links, range(5), count)
    scores = {s: min(LINK_SCORES[links[pair]] for pair in combinations(s, 2)) for s in combinations(range(5), count)}
    assert LINK_SCORES[weakest or ""] == scores[slots] == max(scores.values())
