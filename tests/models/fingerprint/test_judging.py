"""Scores, the line of `unknown`, drift, and who may replace whom."""

from __future__ import annotations

import numpy as np
import pytest

from models.fingerprint.novelty import Novelty, triples
from models.fingerprint.score import Score, may_replace


def test_macro_f1_counts_rare_classes_like_frequent_ones() -> None:
    """Nine of a, all right; one of b, called a: accuracy 0.9; F1 of a 2*9/(9+10) = 0.947, of b 0."""
    truth, answers = np.array(["a"] * 9 + ["b"]), np.array(["a"] * 10)
    score = Score.of(truth, answers)
    assert score.accuracy == pytest.approx(0.9)
    assert score.macro_f1 == pytest.approx((18 / 19 + 0) / 2)


def test_a_worse_model_does_not_replace_the_one_in_use() -> None:
    """0.90 on 400 windows has a standard error of 0.015: 0.89 is as good, 0.88 is not."""
    current = Score(0.90, 0.90)
    assert may_replace(Score(0.89, 0.89), current, 400)
    assert not may_replace(Score(0.88, 0.90), current, 400)
    assert not may_replace(Score(0.91, 0.80), current, 400)
    assert not may_replace(Score(1.0, 1.0), current, 19), "so few windows prove nothing"


def test_five_percent_of_known_workloads_lie_below_the_line() -> None:
    """Similarities 0.01 to 1.00: the 5 % quantile; threes of one job have a line of their own, nearer to their middle."""
    similarity = np.arange(1, 101) / 100
    novelty = Novelty.of(similarity, np.array(["job"] * 100), np.array(["gpu"] * 100))
    assert np.mean(similarity < novelty.single) == pytest.approx(0.05)
    assert novelty.single < novelty.several
    assert novelty.unknown(np.array([0.03]))
    assert not novelty.unknown(np.array([0.5]))


def test_three_runs_are_judged_by_their_mean() -> None:
    """One odd run among three is noise: 0.1, 0.6, 0.8 have mean 0.5, above the line of 0.4."""
    novelty = Novelty(single=0.3, several=0.4, deciles=())
    assert novelty.unknown(np.array([0.1]))
    assert not novelty.unknown(np.array([0.1, 0.6, 0.8]))
    assert novelty.unknown(np.array([0.9, 0.1, 0.2, 0.3])), "the newest three count"


def test_triples_drop_what_is_left_over() -> None:
    """1 2 3 4 gives 2."""
    assert triples(np.array([1.0, 2.0, 3.0, 4.0])).tolist() == [2.0]
    assert triples(np.array([1.0])).tolist() == []


def test_drift_is_small_for_the_same_and_large_for_others() -> None:
    """The population stability index: below 0.1 as in training, above 0.25 when most windows lie where few lay."""
    similarity = np.random.default_rng(0).uniform(0, 1, 1000)
    novelty = Novelty.of(similarity, np.array(["job"] * 1000), np.array(["gpu"] * 1000))
    assert novelty.drift(np.random.default_rng(1).uniform(0, 1, 1000)) < 0.1
    assert novelty.drift(np.random.default_rng(1).uniform(0, 0.3, 1000)) > 0.25
    assert novelty.drift(np.random.default_rng(1).uniform(0.9, 1, 1000)) == 0, "more alike than in training is no drift"
