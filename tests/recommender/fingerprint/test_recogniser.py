"""From telemetry through profiles to an answer, and what becomes of models that come and break."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.metrics import NullMeter
from recommender.access.scope import EVERYTHING, Scope
from recommender.api.answers import RecommendationAnswer
from recommender.api.fingerprint_answers import FingerprintAnswer
from recommender.api.fingerprints import Fingerprints, with_fingerprint
from recommender.api.render import Body, recommendation
from recommender.fingerprint.recogniser import Recogniser
from recommender.fingerprint.watch import Watch
from recommender.view import Row, Snapshot, View
from tests.profiler.telemetry import Row as CpuRow
from tests.profiler.telemetry import message, profile, workload
from tests.recommender.fingerprint.fleets import T0, nothing, seen, trained, window
from tests.recommender.view_columns import slab


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version that knows `steady` and `waves`."""
    made = tmp_path_factory.mktemp("models")
    trained(made, "1000", kinds=("steady", "waves"))
    return made


def told(snapshot: Snapshot, name: str, recogniser: Recogniser, scope: Scope = EVERYTHING) -> Body:
    row = snapshot.get(workload(name))
    assert row is not None
    body = Fingerprints(recogniser).body(row, scope)
    if body["fingerprint"] is not None:
        FingerprintAnswer.model_validate(body["fingerprint"], extra="forbid")
    return body


def ready(folder: Path) -> Recogniser:
    recogniser = Recogniser(str(folder))
    recogniser.refresh()
    return recogniser


def test_a_workload_is_told_by_how_its_run_begins(folder: Path) -> None:
    """A run that the model did not see, on another GPU: it behaves like `steady`, by the votes of the nearest five."""
    found = told(seen(job=window("steady", 0.9, 7)), "job", ready(folder))["fingerprint"]
    assert (found["verdict"], found["workload"], found["model_version"]) == ("known", "steady", "1000")
    assert len(found["nearest"]) == 5
    ratios = [near["similarity_ratio"] for near in found["nearest"]]
    assert ratios == sorted(ratios, reverse=True)
    assert found["similarity_ratio"] == pytest.approx(np.mean(ratios), abs=1e-3)


def test_a_gpu_that_shows_nothing_is_not_guessed_at(folder: Path) -> None:
    """3 MiB and no kernel: the model is not even asked."""
    found = told(seen(job=nothing(60)), "job", ready(folder))["fingerprint"]
    assert (found["verdict"], found["workload"]) == ("nothing-visible", None)
    assert found["sentence"] == "no workload visible on this GPU"
    assert found["similarity_ratio"] is None


def test_a_few_seconds_are_not_enough(folder: Path) -> None:
    """Ten samples; it takes fifteen."""
    assert (
        told(seen(job=window("steady", 1, 1).first(10)), "job", ready(folder))["fingerprint"]["verdict"]
        == "insufficient"
    )


def test_why_there_is_no_fingerprint_is_always_said(folder: Path, tmp_path: Path) -> None:
    """No model; no folder; no GPU; a token for one namespace, which must not hear of others' workloads."""
    snapshot = seen(job=window("steady", 1, 1))
    assert told(snapshot, "job", ready(tmp_path))["why_not"].startswith("no fingerprint model was trained yet")
    assert "api.fingerprint.model" in told(snapshot, "job", Recogniser(""))["why_not"]
    tenant = Scope.of(["read"], ["prod/ml"])
    assert "every namespace" in told(snapshot, "job", ready(folder), tenant)["why_not"]
    made = profile([message([CpuRow("web", 0, 0.5, 1e9)], "n", 1)]).profiles.slab(0)
    bare = Snapshot({(0, "slab/0"): slab(list(made.workloads))})
    assert told(bare, "web", ready(folder))["why_not"] == "no GPU telemetry of it was seen"


def test_it_is_part_of_the_recommendation_or_its_reason_is(folder: Path) -> None:
    """The body validates as the documented answer either way."""
    snapshot = seen(job=window("waves", 1, 1))
    row = snapshot.get(workload("job"))
    assert isinstance(row, Row)
    for recogniser, missing in ((ready(folder), False), (Recogniser(""), True)):
        body = with_fingerprint(recommendation(row, None), Fingerprints(recogniser).body(row, EVERYTHING))
        RecommendationAnswer.model_validate(body, extra="forbid")
        assert ("fingerprint" in body["missing"]) == missing


def test_a_new_version_is_taken_up_and_a_broken_one_is_not(tmp_path: Path) -> None:
    """Version 2 is in use after `refresh`; version 3 has a changed file, so 2 goes on; 4 mends it."""
    trained(tmp_path, "1", kinds=("steady", "waves"))
    recogniser = ready(tmp_path)
    trained(tmp_path, "2")
    recogniser.refresh()
    assert versions(recogniser) == "2"
    trained(tmp_path, "3")
    (tmp_path / "3.npz").write_bytes(b"changed")
    recogniser.refresh()
    assert versions(recogniser) == "2"
    trained(tmp_path, "4")
    recogniser.refresh()
    assert versions(recogniser) == "4"


def versions(recogniser: Recogniser) -> str:
    assert recogniser.in_use is not None
    return recogniser.in_use.version


class Gauges(NullMeter):
    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def gauge(self, name: str, value: float, **labels: str) -> None:
        super().gauge(name, value, **labels)
        assert labels == {"model": "fingerprint"}
        self.values[name.removeprefix("sizewise_model_")] = value


def looked(folder: Path, snapshot: Snapshot) -> dict[str, float]:
    view, gauges = View(), Gauges()
    view.snapshot = snapshot
    Watch(view, Recogniser(str(folder)), 60.0, gauges, lambda: 5000.0).look()
    return gauges.values


def many(*kinds: str) -> Snapshot:
    """120 runs, by turns of these kinds, on GPUs as fast as those of training."""
    speeds = (0.8, 0.95, 1.1, 1.25)
    return seen(**{f"run{k}": window(kinds[k % len(kinds)], speeds[k // 2 % 4], 1000 + k) for k in range(120)})


def test_age_and_drift_are_told(tmp_path: Path) -> None:
    """Trained at second 4,000, asked at 5,000. 120 runs of the known kinds are no drift; 120 of one that it never saw lie
    further away than nearly all in training, and are mostly unknown."""
    trained(tmp_path, "1", trained_ms=4_000_000, kinds=("steady", "waves"))
    assert T0 > 4_000_000
    known, strange = looked(tmp_path, many("steady", "waves")), looked(tmp_path, many("dips"))
    assert known["age_seconds"] == 1000
    assert known["drift_index"] < 0.1
    assert known["unknown_ratio"] < 0.2
    assert strange["drift_index"] > 0.25
    assert strange["unknown_ratio"] > 0.5


def test_drift_is_not_told_from_few_runs_nor_from_those_it_learned(tmp_path: Path) -> None:
    """One run; and 120 that began before it was trained."""
    trained(tmp_path, "1", trained_ms=4_000_000, kinds=("steady", "waves"))
    assert set(looked(tmp_path, seen(job=window("steady", 1, 1)))) == {"age_seconds"}
    trained(tmp_path, "2", trained_ms=T0 + 10**9, kinds=("steady", "waves"))
    assert set(looked(tmp_path, many("steady", "waves"))) == {"age_seconds"}


def test_a_server_without_a_model_has_no_xgboost() -> None:
    """It is 60 MB: a process of its own imports all of the API and looks."""
    look = "import sys, sizewise.http, sizewise.up; print('xgboost' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_without_a_model_nothing_is_told(tmp_path: Path) -> None:
    assert looked(tmp_path, Snapshot()) == {}
