"""The MIG bench: MISO's files, and decisions scored as exact, over and under."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from bench.miso import a100_without_1gx2m, read_jobs


def test_speed_is_relative_to_the_whole_gpu_without_the_warm_up_epoch(tmp_path: Path) -> None:
    """7g takes 0.1 s a step, 4g 0.125 s: 0.8. The first epoch, ten times slower, does not count when there is another."""
    (tmp_path / "mig_iter_times").mkdir()
    (tmp_path / "configs" / "util_collection").mkdir(parents=True)
    for name, step_s in (("7g.40gb", 0.1), ("4g.20gb", 0.125)):
        with gzip.open(tmp_path / "mig_iter_times" / f"{name}_bert_train8.json.gz", "wt") as file:
            json.dump({"0": [10 * step_s] * 9, "1": [step_s] * 3}, file)
    for what, value in (("power", 145.0), ("util_mem", 20.0), ("util_sm", 80.0), ("memory", 1024.0)):
        (tmp_path / "configs" / "util_collection" / f"{what}_bert.json").write_text(json.dumps({"8": value}))
    (job,) = read_jobs(tmp_path)
    assert job.speeds == {"4g": pytest.approx(0.8)}
    assert job.signals.gpu_utilization_ratio == 0.8
    assert job.memory.held_peak_bytes == 2**30


def test_only_measured_slices_are_offered() -> None:
    """1gx2m and the media variants were not measured."""
    assert [profile.key for profile in a100_without_1gx2m().profiles] == ["1g", "2g", "3g", "4g", "7g"]
