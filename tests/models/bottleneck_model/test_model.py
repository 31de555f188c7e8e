"""The taught model: calibrated on workloads it did not see, silent where it must be, the same after a round trip.

The windows here are made up to exercise the code; they say nothing of how good a model is."""

from __future__ import annotations

import numpy as np
import pytest

from models.bottleneck import SURE, Bottleneck
from models.bottleneck_model.features import FEATURES, features
from models.bottleneck_model.model import BottleneckModel, ModelCard, ModelError, calibrated, load
from models.bottleneck_model.train import TooFewWorkloadsError, TrainSettings, train
from models.bottleneck_model.windows import Windows
from models.signals import GPU_SIGNALS

CARD = ModelCard.blank(5, "made up", "none")
FAST = TrainSettings(rounds=20)


def made_up(workloads: int = 12, each: int = 20) -> Windows:
    """Compute draws 0.9 of the power, latency 0.4, both +- 0.1; half of the workloads each."""
    rng = np.random.default_rng(7)
    names = np.repeat([f"w{i}" for i in range(workloads)], each)
    compute = np.repeat(np.arange(workloads) % 2 == 0, each)
    x = rng.uniform(0.2, 0.6, (len(names), len(FEATURES))).astype(np.float32)
    x[:, FEATURES.index("power_ratio")] = np.where(compute, 0.9, 0.4) + rng.uniform(-0.1, 0.1, len(names))
    x[:, FEATURES.index("framebuffer_ratio")] = np.nan
    classes = np.where(compute, Bottleneck.COMPUTE, Bottleneck.LATENCY).astype(np.uint8)
    return Windows(x, classes, names)


@pytest.fixture(scope="module")
def taught() -> BottleneckModel:
    return train(made_up(), CARD, FAST)


def test_it_finds_what_tells_the_classes_apart_on_workloads_that_it_did_not_see(taught: BottleneckModel) -> None:
    """Power does, and does it for every workload: left-out windows are right, and few are left open."""
    assert taught.card.agreement > 0.98
    assert taught.card.abstained < 0.2
    assert (taught.card.windows, taught.card.workloads) == (240, 12)
    seen = taught.infer(made_up().features)
    assert np.mean(seen.bottleneck == made_up().classes) > 0.98


def test_it_is_silent_outside_what_taught_it(taught: BottleneckModel) -> None:
    """Twice the memory utilisation of any window, or a signal that no window had."""
    window = made_up().features[:1]
    assert taught.infer(window).confidence[0] >= SURE
    for feature in ("memory_ratio", "framebuffer_ratio"):
        strange = window.copy()
        strange[0, FEATURES.index(feature)] = 1.2
        assert taught.infer(strange).confidence[0] == 0


def test_a_class_that_too_few_workloads_had_is_not_believed() -> None:
    """One workload of twelve is I/O: the model may find it, and must not be sure of it."""
    windows = made_up()
    classes = np.where(windows.workloads == "w1", np.uint8(Bottleneck.IO_HOST_TRANSFER), windows.classes)
    model = train(Windows(windows.features, classes, windows.workloads), CARD, FAST)
    assert model.card.trusted == ("COMPUTE", "LATENCY")
    found = model.infer(windows.features)
    assert (found.confidence[found.bottleneck == Bottleneck.IO_HOST_TRANSFER] == 0).all()


def test_labels_that_no_signal_tells_leave_it_silent() -> None:
    """Every workload has its class by chance: calibration on left-out workloads takes the confidence away."""
    windows = made_up()
    x = windows.features.copy()
    x[:, FEATURES.index("power_ratio")] = 0.5
    model = train(Windows(x, windows.classes, windows.workloads), CARD, FAST)
    assert model.card.abstained > 0.9


@pytest.mark.parametrize("workloads", [0, 1, 4])
def test_too_few_workloads_are_refused(workloads: int) -> None:
    """Four workloads are two per class; three are needed."""
    with pytest.raises(TooFewWorkloadsError, match="it needs two such classes"):
        train(made_up().take(np.flatnonzero(np.char.find(made_up().workloads, "w") == 0)[: 20 * workloads]), CARD, FAST)


def test_a_round_trip_keeps_every_answer(taught: BottleneckModel) -> None:
    """XGBoost's own format and a card in JSON."""
    again = load(*taught.dump())
    x = made_up().features
    assert again.card == taught.card
    assert (again.infer(x).confidence == taught.infer(x).confidence).all()


def test_training_twice_gives_the_same_bytes() -> None:
    """One thread, one seed."""
    windows = made_up(each=10)
    assert train(windows, CARD, FAST).dump() == train(windows, CARD, FAST).dump()


def test_files_that_do_not_belong_together_are_refused(taught: BottleneckModel) -> None:
    """The card's checksum is of the file beside it; and a card must be one."""
    body, card = taught.dump()
    with pytest.raises(ModelError, match="sha256"):
        load(body + b" ", card)
    with pytest.raises(ModelError, match="cannot be read"):
        load(body, b"{}")
    with pytest.raises(ModelError, match="unknown classes LUNCH"):
        load(body, card.replace(b'"LATENCY"', b'"LUNCH"'))


def test_a_window_does_not_feel_its_neighbours(taught: BottleneckModel) -> None:
    """One by one or together: the same bits."""
    x = made_up().features[:20]
    together = taught.infer(x).confidence
    assert [taught.infer(x[i : i + 1]).confidence[0] for i in range(20)] == together.tolist()
    assert len(taught.infer(x[:0]).confidence) == 0


def test_calibration_is_a_sigmoid_of_the_log_odds_shared_out() -> None:
    """Odds 0 with slope 2 and offset 0 is 0.5; odds 0 with offset ln 3 is 0.75: 0.4 and 0.6 of the sum."""
    assert calibrated(np.zeros((1, 2)), [2, 1], [0, np.log(3)])[0] == pytest.approx([0.4, 0.6])


def test_spreads_are_relative_and_missing_signals_stay_missing() -> None:
    """Power 400 +- 40 W: 0.1. No framebuffer: NaN, and no spread of a mean of 0."""
    names = [signal.name for signal in GPU_SIGNALS]
    mean, spread = np.full((len(names), 1), np.nan), np.full((len(names), 1), np.nan)
    mean[names.index("power_watts")], spread[names.index("power_watts")] = 400, 40
    mean[names.index("gpu_utilization_ratio")], spread[names.index("gpu_utilization_ratio")] = 0, 0
    found = dict(zip(FEATURES, features(np.full((6, 1), 0.5), mean, spread)[0], strict=True))
    assert found["power_spread"] == pytest.approx(0.1)
    assert np.isnan(found["framebuffer_ratio"])
    assert np.isnan(found["busy_spread"])
