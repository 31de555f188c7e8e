"""Policy resolved to columns, and the settings behind it."""

from __future__ import annotations

import re

import pytest

from recommender.settings import RecommenderSettings
from recommender.sizing.decide import decide
from recommender.sizing.policy_columns import LIMITS, PolicyTable
from recommender.sizing.settings import PolicyOverride, SizingPolicy
from tests.recommender.sizing.profiles import Workload, profiles

LEDGER = "prod/payments/Deployment/ledger/main"
MAIL = "prod/payments/Deployment/mail/main"
WEB = "prod/shop/Deployment/web/main"
OVERRIDES = (
    PolicyOverride("*/payments/*", {"memory_margin_ratio": 0.3, "limits": "equal-request"}),
    PolicyOverride("prod/payments/Deployment/ledger/*", {"memory_margin_ratio": 0.5}),
)


def test_the_last_override_that_matches_wins() -> None:
    """The namespace has 0.3, one workload in it 0.5, everybody else the default of 0.15."""
    columns = PolicyTable(SizingPolicy(), OVERRIDES).columns([WEB, MAIL, LEDGER])
    assert columns["memory_margin_ratio"].tolist() == [0.15, 0.3, 0.5]
    assert [LIMITS[code] for code in columns["limits"]] == ["keep-ratio", "equal-request", "equal-request"]
    assert columns["cpu_margin_ratio"].tolist() == [0.15, 0.15, 0.15]


def test_one_policy_for_all_is_one_row() -> None:
    """Where nothing differs the columns have one row and spread over all workloads; also for an empty slab."""
    table = PolicyTable(SizingPolicy(), OVERRIDES)
    assert table.columns([MAIL, MAIL])["memory_margin_ratio"].tolist() == [0.3]
    assert table.columns([])["memory_margin_ratio"].tolist() == [0.15]


def test_overrides_reach_their_workloads_and_no_other() -> None:
    """0.5 cores always: 0.5 * 1.15, and with no margin for the namespace 0.5."""
    table = PolicyTable(SizingPolicy(), (PolicyOverride("*/payments/*", {"cpu_margin_ratio": 0.0}),))
    slab = profiles(*(Workload(cpu={0.5: 100}, id=workload) for workload in (WEB, LEDGER)))
    result = decide(slab, None, table.columns(slab.workloads))
    assert result["target"][:, 0].tolist() == pytest.approx([0.575, 0.5])


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        (
            {"memory_margin_rato": 0.3},
            "sets 'memory_margin_rato', which is no field; did you mean memory_margin_ratio?",
        ),
        ({"memory_margin_ratio": -0.1}, "memory_margin_ratio is -0.1; it must be a number between 0 and 10"),
        ({"memory_margin_ratio": "much"}, "memory_margin_ratio is 'much'; it must be a number between 0 and 10"),
        ({"memory_margin_ratio": float("nan")}, "memory_margin_ratio is nan; it must be a number between 0 and 10"),
        ({"limits": "none"}, "limits is 'none'; it must be one of keep-ratio, drop-cpu-limit, equal-request"),
        ({"cpu_target_percentile": 0.99}, "cpu_target_percentile is 0.99, above cpu_upper_percentile 0.95"),
        ({"cpu_floor_cores": 5.0, "cpu_cap_cores": 4.0}, "cpu_floor_cores is 5.0, above cpu_cap_cores 4.0"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_name(policy: dict[str, float | str], complaint: str) -> None:
    """The error names the pattern, the field, the value and the mend."""
    with pytest.raises(ValueError, match=r"override for '\*/payments/\*'.*" + re.escape(complaint)):
        RecommenderSettings(overrides=(PolicyOverride("*/payments/*", policy),))


def test_every_number_of_the_policy_has_a_range() -> None:
    """A field without a range would take anything: each is tried with a value below all ranges."""
    for name in SizingPolicy.__dataclass_fields__:
        with pytest.raises(ValueError, match=name):
            SizingPolicy(**{name: -1})
