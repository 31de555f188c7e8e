"""`sizewise train fingerprint`, over a hand-made log."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from models.fingerprint.artifact import Artifact, load
from models.fingerprint.model import Verdict
from models.telemetry import TelemetryBatch
from sizewise.__main__ import cli
from sizewise.exits import FAILED, NO_DATA
from sizewise.process import opened
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


def test_one_kind_of_work_teaches_nothing(tmp_path: Path) -> None:
    """The message says what is needed, and no file is written."""
    fill(tmp_path, ("steady",))
    refused = run(tmp_path, "train", "fingerprint", "--out", str(tmp_path / "model"))
    assert refused.exit_code == NO_DATA, refused.output
    assert "1 workloads have 3 windows" in refused.output
    assert not (tmp_path / "model.json").exists()


def test_a_fleet_learns_its_own_workloads_and_keeps_a_model_that_is_not_beaten(tmp_path: Path) -> None:
    """Names are the classes. The same runs again prove nothing against the model that is there; --force writes."""
    fill(tmp_path, ("steady", "dips"))
    done = run(tmp_path, "train", "fingerprint", "--out", str(tmp_path / "model"))
    assert done.exit_code == 0, done.output
    assert "16 runs of 2 workloads in 2 groups" in done.output
    files = [tmp_path / f"model{suffix}" for suffix in (".ubj", ".npz", ".json")]
    model = load(Artifact(*(file.read_bytes() for file in files)))
    (answer,) = model.identify([window("dips", 1.1, 12)])
    assert (answer.verdict, answer.workload) == (Verdict.KNOWN, "prod/ml/Job/dips/main")
    card = files[2].read_bytes()

    again = run(tmp_path, "train", "fingerprint", "--out", str(tmp_path / "model"))
    assert again.exit_code == FAILED
    assert "stays: no run" in again.output
    assert files[2].read_bytes() == card
    assert run(tmp_path, "train", "fingerprint", "--out", str(tmp_path / "model"), "--force").exit_code == 0
    assert files[2].read_bytes() != card


def test_a_model_is_replaced_by_one_that_is_as_good_on_runs_new_to_both(tmp_path: Path) -> None:
    """24 runs begin after the first model was trained; both are right in all of them. Of one workload 20 runs are kept."""
    fill(tmp_path, ("steady", "dips"))
    assert run(tmp_path, "train", "fingerprint", "--out", str(tmp_path / "model")).exit_code == 0
    fill(tmp_path, ("steady", "dips"), round(time.time() * 1000) + 10_000)
    fill(tmp_path, ("steady",), round(time.time() * 1000) + 20_000)
    done = run(tmp_path, "train", "fingerprint", "--out", str(tmp_path / "model"))
    assert done.exit_code == 0, done.output
    assert "36 runs of 2 workloads" in done.output


@pytest.mark.parametrize("suffix", [".ubj", ".npz", ".json"])
def test_a_model_that_cannot_be_read_is_not_silently_replaced(tmp_path: Path, suffix: str) -> None:
    """One of its files is left, and is no model: the operator decides."""
    fill(tmp_path, ("steady", "dips"))
    (tmp_path / f"model{suffix}").write_bytes(b"rubbish")
    refused = run(tmp_path, "train", "fingerprint", "--out", str(tmp_path / "model"))
    assert refused.exit_code == FAILED
    assert "--force" in refused.output
    assert (tmp_path / f"model{suffix}").read_bytes() == b"rubbish"


def test_what_was_written_is_finite(tmp_path: Path) -> None:
    """A card with NaN could not be read back."""
    fill(tmp_path, ("steady", "dips"))
    run(tmp_path, "train", "fingerprint", "--out", str(tmp_path / "model"))
    card = load(Artifact(*((tmp_path / f"model{s}").read_bytes() for s in (".ubj", ".npz", ".json")))).card
    assert np.isfinite([card.accuracy, card.macro_f1]).all()
