"""Learning, answering, and keeping what was learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.fingerprint.artifact import Artifact, dump, load
from models.fingerprint.boosted import ArtifactError, TreeSettings
from models.fingerprint.features import VERSION, features
from models.fingerprint.known import Near
from models.fingerprint.model import Card, Fingerprinter, Verdict
from models.fingerprint.train import TooFewError, TrainSettings, learn, training_rows
from models.fingerprint.window import Window
from tests.models.fingerprint.workloads import fleet, nothing, window

QUICK = TrainSettings(trees=TreeSettings(rounds=20, learning_rate=0.3), copies=2)
CARD = Card("test", "1", 0, "made up", "Apache-2.0", "for tests", VERSION)


@pytest.fixture(scope="module")
def model() -> Fingerprinter:
    return learn(*fleet(), CARD, QUICK).model


def test_workloads_are_told_apart_on_gpus_that_were_held_out(model: Fingerprinter) -> None:
    """Three workloads that differ in plain sight, each GPU held out in turn: over 0.9; chance is 0.33."""
    assert model.card.accuracy > 0.9
    assert model.card.macro_f1 > 0.9
    assert (model.card.windows, model.card.groups, model.card.classes) == (60, 4, ("dips", "steady", "waves"))


def test_a_known_workload_is_named_with_its_nearest_kin(model: Fingerprinter) -> None:
    """A new run on a GPU of training."""
    (answer,) = model.identify([window("waves", 0.95, 77)])
    assert (answer.verdict, answer.workload) == (Verdict.KNOWN, "waves")
    assert answer.confidence > 0.5
    assert {kin.workload for kin in answer.nearest} == {"waves"}
    alike = [kin.similarity for kin in answer.nearest]
    assert alike == sorted(alike, reverse=True)
    assert answer.similarity == pytest.approx(np.mean(alike))


def test_the_nearest_vote_with_the_fourth_power_of_similarity() -> None:
    """One at 0.8 against two at 0.6 of another name: 0.41 against 2 * 0.13; its share is 0.41 / 0.67. Where nobody shares a
    leaf the first is named, with an equal share."""
    shared = np.array([[0.8, 0.6, 0.6], [0.0, 0.0, 0.0]])
    near = Near(np.array([["a", "b", "b"], ["c", "d", "e"]]), shared, shared, np.zeros((2, 1), np.float32))
    names, share = near.vote()
    assert names.tolist() == ["a", "c"]
    assert share.tolist() == pytest.approx([0.8**4 / (0.8**4 + 2 * 0.6**4), 1 / 3])
    assert near.similarity.tolist() == pytest.approx([2 / 3, 0])


def test_the_first_minutes_alone_name_it(model: Fingerprinter) -> None:
    """60 samples at 2 s."""
    (answer,) = model.identify([window("steady", 1.0, 5).first(60)])
    assert answer.workload == "steady"


def test_nothing_visible_is_said_and_not_guessed(model: Fingerprinter) -> None:
    """3 MiB and no activity; and no answer at all without memory and activity, or with five samples."""
    idle, blind, short = model.identify([nothing(), Window({"power_watts": np.ones(40)}, 2.0), nothing(5)])
    assert idle.verdict is Verdict.NOTHING_VISIBLE
    assert idle.sentence == "no workload visible on this GPU"
    assert (blind.verdict, short.verdict) == (Verdict.INSUFFICIENT, Verdict.INSUFFICIENT)
    assert (idle.workload, idle.nearest) == ("", ())


def test_unknown_is_below_the_line_of_held_out_known_workloads(model: Fingerprinter) -> None:
    """With the line above 1 nothing is near enough: the kin is still shown, the name is not."""
    strict = replace(model, novelty=replace(model.novelty, single=1.01))
    (answer,) = strict.identify([window("waves", 0.9, 77)])
    assert (answer.verdict, answer.workload, answer.confidence) == (Verdict.UNKNOWN, "", 0.0)
    assert answer.nearest[0].workload == "waves"


def test_an_answer_does_not_depend_on_what_else_is_asked(model: Fingerprinter) -> None:
    """One by one and together, among windows that need no model."""
    asked = [nothing(), window("dips", 1.1, 8), nothing(), window("waves", 1.0, 9)]
    assert model.identify(asked) == [model.identify([one])[0] for one in asked]
    assert model.identify([]) == []


def test_a_model_comes_back_from_its_bytes(model: Fingerprinter) -> None:
    """The same answers, and the same bytes again."""
    artifact = dump(model)
    back = load(artifact)
    asked = [window("dips", 1.1, 8), window("waves", 1.0, 9)]
    assert back.identify(asked) == model.identify(asked)
    assert back.card == model.card
    assert dump(back).card == artifact.card


@pytest.mark.parametrize("part", ["trees", "arrays", "card"])
def test_a_changed_byte_is_noticed(model: Fingerprinter, part: str) -> None:
    """In any of the files; the message says what to do."""
    artifact = dump(model)
    body = bytearray(getattr(artifact, part))
    body[10] ^= 0xFF
    with pytest.raises(ArtifactError, match="again"):
        load(replace(artifact, **{part: bytes(body)}))


def test_a_model_of_other_features_is_refused(model: Fingerprinter) -> None:
    """Its columns mean something else."""
    old = replace(model, card=replace(model.card, feature_version=VERSION + 1))
    with pytest.raises(ArtifactError, match=f"version {VERSION + 1}"):
        load(dump(old))


def test_trees_that_are_no_trees_are_ours_to_explain(model: Fingerprinter) -> None:
    """XGBoost's own error does not leave the adapter, even when checksums agree."""
    artifact = dump(model)
    with pytest.raises(ArtifactError):
        load(Artifact(b"", artifact.arrays, artifact.card))
    with pytest.raises(ArtifactError, match="train again"):
        type(model.trees).load(b"{not a model}")


def test_rows_of_another_width_are_refused(model: Fingerprinter) -> None:
    """Both widths are named."""
    rows = features([window("dips", 1.0, 0)])
    with pytest.raises(ValueError, match=f"{rows.shape[1] - 1} features.*{rows.shape[1]}"):
        model.trees.margins(rows[:, 1:])


def test_too_little_is_refused_with_what_it_needs() -> None:
    """One workload tells nothing apart; one group leaves nothing to hold out."""
    windows, names, groups = fleet(("steady",))
    with pytest.raises(TooFewError, match=r"1 workloads.*it needs 2"):
        learn(windows, names, groups, CARD, QUICK)
    windows, names, _ = fleet(("steady", "waves"))
    with pytest.raises(TooFewError, match="needs 2 groups"):
        learn(windows, names, ["one"] * len(windows), CARD, QUICK)


def test_idle_windows_teach_nothing() -> None:
    """Labelled as a workload, a GPU on which nothing ran would make idleness its sign."""
    windows, names, groups = fleet(("steady", "waves"))
    taught = learn([*windows, nothing()], [*names, "steady"], [*groups, "gpu-0"], CARD, QUICK)
    assert sorted(taught.held_out) == list(range(len(windows)))
    assert taught.model.card.windows == len(windows)


def test_rows_of_some_windows_are_their_own() -> None:
    """Of windows 0 and 2: each with its first minutes, its two copies and one cut copy: 5 rows each, 3 of them whole."""
    windows, _, _ = fleet()
    rows = training_rows(windows[:3], QUICK)
    some = rows.of(np.array([0, 2]))
    assert sorted(some.owner.tolist()) == [0] * 5 + [1] * 5
    assert len(rows.of(np.array([0, 2]), whole_only=True).rows) == 6
    np.testing.assert_array_equal(some.rows[1], rows.rows[2])
