"""The fingerprint bench: the data as windows, and how open-set recall is counted."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from bench.fingerprint_data import MIN_SAMPLES, read_runs
from bench.fingerprint_openset import judge
from bench.fingerprint_peers import summaries
from models.fingerprint.window import MIB

HEADER = "system,chip,model,precision,run,sample,temperature_c,gpu_util_pct,mem_used_mib"


def lines(system: str, chip: str, run: str, samples: int, mib: int) -> list[str]:
    return [f"{system},{chip},ncf,AMP,{run},{k},50,{k},{mib}" for k in reversed(range(samples))]


def test_runs_are_read_in_order_and_short_ones_are_left_out(tmp_path: Path) -> None:
    """Samples come back in their order whatever the file's; 14 samples are too few; 11 MiB is not live."""
    rows = [*lines("8xA100_80GB_SXM4", "A100", "a", 20, 5000), *lines("p3.2xlarge", "V100", "b", MIN_SAMPLES, 11)]
    rows += lines("p3.2xlarge", "V100", "c", MIN_SAMPLES - 1, 5000)
    with gzip.open(tmp_path / "monitor_all.csv.gz", "wt") as file:
        file.write("\n".join([HEADER, *rows]))
    first, second = read_runs(tmp_path)
    assert first.window.signals["gpu_utilization_ratio"].tolist() == [k / 100 for k in range(20)]
    assert first.window.signals["framebuffer_used_bytes"][0] == 5000 * MIB
    assert (first.window.board.memory_bytes, first.window.board.gpus) == (80 * 1024 * MIB, 8)
    assert second.window.board.memory_bytes == 16 * 1024 * MIB
    assert (first.live, second.live) == (True, False)
    assert summaries([first.window, second.window]).shape == (2, 21)


def test_a_line_comes_from_known_runs_of_other_chips() -> None:
    """Known runs score 0.5 to 0.9 on both chips, the family left out 0.1 on chip a and 0.95 on b: found on a only, singly
    and in threes, and no known run is called unknown by more than its share."""
    known = np.linspace(0.5, 0.9, 21)
    scored = np.concatenate([known, [0.1] * 3, known, [0.95] * 3])
    families = np.array([*["x"] * 21, *["out"] * 3] * 2)
    chips = np.array(["a"] * 24 + ["b"] * 24)
    single, false, three, false_three, of_groups = judge(scored, "out", families, chips)
    assert np.mean(single) == np.mean(three) == np.mean(of_groups) == 0.5
    assert np.mean(false) == pytest.approx(2 / 42)
    assert len(three) == 2
    assert np.mean(false_three) <= 1 / 7
