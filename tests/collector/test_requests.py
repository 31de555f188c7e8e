"""Requests back out of shares, weights and OOM score adjustments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.host.requests import (
    Formula,
    formula_of,
    memory_request,
    shares_to_cores,
    shares_to_weight,
    weight_to_cores,
)

GIB = 1 << 30
FORMULAS: tuple[Formula, ...] = ("linear", "quadratic")


@pytest.mark.parametrize(
    ("formula", "shares", "weight"),
    [
        ("linear", 2, 1),
        ("linear", 1024, 39),
        ("linear", 2000, 77),
        ("linear", 262144, 10_000),
        ("quadratic", 2, 1),
        ("quadratic", 1024, 100),
        ("quadratic", 2000, 170),
        ("quadratic", 262144, 10_000),
    ],
)
def test_weights_are_those_of_the_runtimes(formula: Formula, shares: int, weight: int) -> None:
    """One core is 39, or 100; 2000 shares were seen to be 77 under runc 1.3.1 and 170 under 1.3.2."""
    assert shares_to_weight(shares, formula) == weight


@given(st.integers(30, 250_000), st.sampled_from(FORMULAS))
def test_a_request_comes_back_from_its_weight(millicores: int, formula: Formula) -> None:
    """Right to 13 millicores (half a step of 26 shares) or 5 %, whichever is more: the quadratic formula is coarse
    where its weights are small."""
    weight = shares_to_weight(millicores * 1024 // 1000, formula)
    cores = weight_to_cores(weight, formula)
    assert cores == pytest.approx(millicores / 1000, abs=0.0135, rel=0.05)


@given(st.integers(3, 256_000))
def test_a_request_comes_back_from_shares(millicores: int) -> None:
    """v1 keeps it to a millicore."""
    assert shares_to_cores(millicores * 1024 // 1000) == pytest.approx(millicores / 1000, abs=0.001)


def test_no_request_is_none() -> None:
    """2 shares and weight 1 are what a container without a request gets; an unknown formula gives no answer."""
    assert shares_to_cores(2) is None
    assert weight_to_cores(1, "linear") is None
    assert weight_to_cores(39, None) is None


@pytest.mark.parametrize("kubelet", FORMULAS)
@pytest.mark.parametrize("runtime", FORMULAS)
@pytest.mark.parametrize("cores", [2, 8])
def test_the_runtimes_formula_shows_in_pods_of_one_container(kubelet: Formula, runtime: Formula, cores: int) -> None:
    """The kubelet writes the pod's weight, the runtime the container's, both from the same request."""
    root = shares_to_weight(cores * 1024, kubelet)
    shares = [100, 512, 1024]
    pods = [(shares_to_weight(s, kubelet), shares_to_weight(s, runtime)) for s in shares]
    assert formula_of(root, cores, pods) == runtime


def test_no_evidence_gives_no_formula() -> None:
    """Without pods, or with a root weight that neither formula explains, nothing is claimed."""
    assert formula_of(157, 4, []) is None
    assert formula_of(5000, 4, [(20, 20)]) is None
    assert formula_of(None, 4, [(20, 20)]) is None


@given(st.integers(GIB // 4, 60 * GIB))
def test_a_burstable_memory_request_is_right_to_a_2000th_of_the_node(request: int) -> None:
    """kubelet: 1000 - 1000 * request / capacity, in whole numbers."""
    capacity = 64 * GIB
    adjustment = 1000 - 1000 * request // capacity
    found = memory_request("burstable", None, adjustment, capacity)
    assert found == pytest.approx(request, abs=capacity / 2000 + 1)


def test_where_the_adjustment_says_nothing() -> None:
    """999 stands for small requests and for none, 3 for nearly everything; BestEffort has no request."""
    assert memory_request("burstable", None, 999, 64 * GIB) is None
    assert memory_request("burstable", None, 3, 64 * GIB) is None
    assert memory_request("besteffort", None, 1000, 64 * GIB) is None
    assert memory_request("guaranteed", 2 * GIB, -997, 64 * GIB) == 2 * GIB
