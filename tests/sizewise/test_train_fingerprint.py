"""`sizewise train fingerprint`, over a hand-made log."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from models.fingerprint.artifact import Artifact, load
from models.fingerprint.head import head_of
from models.fingerprint.model import Fingerprinter, Verdict
from models.metrics import NullMeter
from models.telemetry import TelemetryBatch
from recommender.fingerprint.shelf import Files, Shelf
from sizewise.__main__ import cli
from sizewise.exits import FAILED, NO_DATA, STAYS, USAGE
from sizewise.process import opened
from sizewise.training import Trainer, on_schedule
from stream import schemas
from stream.contract import Message
from stream.settings import LogSettings
from stream.streams import TELEMETRY
from stream.telemetry_encoder import encode_telemetry
from tests.models.fingerprint.workloads import window

NOW_MS = 1_790_000_000_000


def run(state: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--state", str(state)])


def fill(state: Path, kinds: tuple[str, ...], start_ms: int = NOW_MS) -> None:
    """Four runs of each kind on each of two GPU models, a message each."""
    with opened(LogSettings(location=f"sqlite:{state / 'sizewise.db'}")) as log:
        writer = log.writer()
        for sequence, (kind, gpu, k) in enumerate((a, b, c) for a in kinds for b in range(2) for c in range(4)):
            body = encode_telemetry(batch(kind, gpu, k, start_ms))
            headers = {schemas.SCHEMA: schemas.TELEMETRY["gpu"], schemas.PRODUCER: "n", schemas.SEQUENCE: str(sequence)}
            writer.append(TELEMETRY, [Message("n", body, headers, start_ms + 10**6, 0)])
        writer.flush(10)
        writer.close()


def batch(kind: str, gpu: int, k: int, start_ms: int) -> TelemetryBatch:
    shown = window(kind, 1.0 + 0.1 * gpu, 10 * gpu + k)
    n = len(shown)
    keys = {
        "workload": [f"prod/ml/Job/{kind}/main"] * n,
        "instance": [f"{kind}-{gpu}-{k}-{start_ms}"] * n,
        "gpu_uuid": [f"GPU-{gpu}"] * n,
        "gpu_model": [f"model-{gpu}"] * n,
        "mig_profile": [""] * n,
    }
    signals = {name: values.tolist() for name, values in shown.signals.items()}
    return TelemetryBatch("gpu", keys, [start_ms + 2000 * s for s in range(n)], [2000] * n, signals)


def in_use(folder: Path) -> Fingerprinter:
    shelf = Shelf(folder)
    version = shelf.current()
    assert version is not None
    return load(Artifact(*shelf.read(version)))


def train(state: Path, *words: str) -> Result:
    return run(state, "train", "fingerprint", "--out", str(state / "models"), *words)


def test_one_kind_of_work_teaches_nothing(tmp_path: Path) -> None:
    """The message says what is needed, and no file is written."""
    fill(tmp_path, ("steady",))
    refused = train(tmp_path)
    assert refused.exit_code == NO_DATA, refused.output
    assert "1 workloads have 3 windows" in refused.output
    assert not (tmp_path / "models").exists()


def test_a_fleet_learns_its_own_workloads_and_keeps_a_model_that_is_not_beaten(tmp_path: Path) -> None:
    """Names are the classes. The same runs again prove nothing against the version in use; --force uses a new one."""
    fill(tmp_path, ("steady", "dips"))
    done = train(tmp_path)
    assert done.exit_code == 0, done.output
    assert "16 runs of 2 workloads in 2 groups" in done.output
    model = in_use(tmp_path / "models")
    head = head_of(window("dips", 1.1, 12))
    assert head is not None
    (answer,) = model.identify([head])
    assert (answer.verdict, answer.workload) == (Verdict.KNOWN, "prod/ml/Job/dips/main")

    again = train(tmp_path)
    assert again.exit_code == STAYS
    assert "stays: no run" in again.output
    assert in_use(tmp_path / "models").card == model.card
    assert train(tmp_path, "--force").exit_code == 0
    assert in_use(tmp_path / "models").card.version != model.card.version
    assert len(Shelf(tmp_path / "models").versions()) == 2


def test_a_model_is_replaced_by_one_that_is_as_good_on_runs_new_to_both(tmp_path: Path) -> None:
    """24 runs begin after the first model was trained; both are right in all of them. Of one workload 20 runs are kept."""
    fill(tmp_path, ("steady", "dips"))
    assert train(tmp_path).exit_code == 0
    fill(tmp_path, ("steady", "dips"), round(time.time() * 1000) + 10_000)
    fill(tmp_path, ("steady",), round(time.time() * 1000) + 20_000)
    done = train(tmp_path)
    assert done.exit_code == 0, done.output
    assert "36 runs of 2 workloads" in done.output


@pytest.mark.parametrize("suffix", [".ubj", ".npz", ".json"])
def test_a_model_that_cannot_be_read_is_not_silently_replaced(tmp_path: Path, suffix: str) -> None:
    """One file of the version in use is rubbish: the operator decides."""
    fill(tmp_path, ("steady", "dips"))
    shelf = Shelf(tmp_path / "models")
    shelf.promote("1", Files(b"", b"", b""))
    (tmp_path / "models" / f"1{suffix}").write_bytes(b"rubbish")
    refused = train(tmp_path)
    assert refused.exit_code == FAILED
    assert "--force" in refused.output
    assert shelf.current() == "1"


def test_what_was_written_is_finite(tmp_path: Path) -> None:
    """A card with NaN could not be read back."""
    fill(tmp_path, ("steady", "dips"))
    train(tmp_path)
    card = in_use(tmp_path / "models").card
    assert np.isfinite([card.accuracy, card.macro_f1]).all()


@pytest.mark.parametrize("text", ["1", "d", "0h", "1w", "-1d"])
def test_a_schedule_is_a_number_and_a_unit(tmp_path: Path, text: str) -> None:
    refused = train(tmp_path, f"--every={text}")
    assert refused.exit_code == USAGE
    assert "12h or 1d" in refused.output


def test_on_a_schedule_it_trains_again_and_goes_on_when_there_is_too_little(tmp_path: Path) -> None:
    """An empty log teaches nothing and ends nothing; once there are runs, the next round has a model; results are counted."""
    log_settings = LogSettings(location=f"sqlite:{tmp_path / 'sizewise.db'}")
    counted, rounds = Counted(), iter(range(10))

    def wait(_: float) -> bool:
        if next(rounds) == 0:
            fill(tmp_path, ("steady", "dips"))
            return False
        return True

    with opened(log_settings) as log:
        on_schedule(Trainer(tmp_path / "models", 3), log, 86_400.0, counted, wait)
    assert counted.results == ["too-few", "promoted"]
    assert in_use(tmp_path / "models").card.windows == 16


class Counted(NullMeter):
    def __init__(self) -> None:
        self.results: list[str] = []

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        super().count(name, amount, **labels)
        if amount:
            self.results.append(labels["result"])
