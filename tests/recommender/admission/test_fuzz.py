"""Whatever pod, cluster and advice are drawn: the rules hold. `python -m bench admission-fuzz` draws a million."""

from __future__ import annotations

from random import Random

import jsonpatch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.admission_cases import draw, encoded, mutated
from bench.admission_fuzz import POLICIES, judge, judge_spoilt
from bench.admission_oracle import answer_of, applied
from recommender.admission.review import Reviewer
from recommender.admission.settings import WebhookSettings

seeds = st.integers(0, 2**64)
policies = st.sampled_from(POLICIES)


@given(seeds, policies)
@settings(max_examples=1000, deadline=None)
def test_no_rule_is_broken(seed: int, policy: object) -> None:
    """Same QoS class, requests within limits, whole extended resources, LimitRange and quota kept, nothing else touched,
    and a second review changes nothing; by the oracle, which shares no code with the webhook."""
    outcome, wrong = judge(draw(Random(seed)), policy)  # type: ignore[arg-type]
    assert wrong == [], outcome


@given(seeds, policies)
@settings(max_examples=1000, deadline=None)
def test_nothing_spoilt_does_harm(seed: int, policy: object) -> None:
    """Cut short, bytes changed, values of other types, nested deep: the pod is allowed, and nothing fails inside."""
    random = Random(seed)
    case = draw(random)
    outcome, wrong = judge_spoilt(case, policy, mutated(random, encoded(case)))  # type: ignore[arg-type]
    assert wrong == [], outcome


@given(seeds)
@settings(max_examples=300, deadline=None)
def test_patches_apply_as_the_library_applies_them(seed: int) -> None:
    """The oracle's own applier and the jsonpatch package make the same pod of every patch."""
    case = draw(Random(seed))
    reviewer = Reviewer(WebhookSettings(pods=POLICIES[0]), case.world, case.world, lambda: 0.0)
    _, patch = answer_of(reviewer.review(encoded(case), case.told).body)
    assert applied(case.pod, patch) == jsonpatch.apply_patch(case.pod, patch)
