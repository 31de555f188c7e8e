"""The readers and rules of the roofline bench, on files small enough to count by hand."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.bottleneck import _by_utilization, _kempner
from bench.gpu_kernels import flop_bench, orion
from bench.h100 import read_windows, without
from bench.power_caps import zeus
from models.bottleneck import Bottleneck
from profiler.bottleneck.evidence import SIGNAL


def test_rates_and_intensities_give_the_same_side_of_the_ridge(tmp_path: Path) -> None:
    """76.03 GB/s are 0.1 of the bandwidth. FP32: 0.2 of its peak is above, 0.05 is under; nothing computed is under."""
    traffic = 76.03e9
    rates = np.array([0.2, 0.05, 0.0]) * 29.77e12
    pd.DataFrame({
        "traffic": traffic, "dpAI": 0.0, "spAI": rates / traffic, "intAI": 0.0,
        "dpPerf": 0.0, "spPerf": rates, "intPerf": 0.0,
    }).to_csv(tmp_path / "profiling-data.csv.gz")  # fmt: skip
    report = flop_bench(tmp_path)
    assert report.figures == {"roofline_agreement": 1.0}
    assert (report.rows[0]["ours"], report.rows[0]["truth"]) == (1, 1)


def test_kernels_are_weighted_by_duration_and_names_may_hold_commas(tmp_path: Path) -> None:
    """300 of 400 ns are compute. By name: gemm was compute in the other family, copy was not: 0.75 again."""
    folder = tmp_path / "model_kernels"
    folder.mkdir()
    lines = "Name,Profile,Memory_footprint,SM_usage,Duration\ngemm<int, int>,1,0,4,300\ncopy,0,0,4,100\n"
    for name in ("bert_2_fwd", "resnet50_4_fwd", "bert_8_fb0"):
        with gzip.open(folder / f"{name}.csv.gz", "wt") as file:
            file.write(lines)
    report = orion(tmp_path)
    assert [row["ours"] for row in report.rows] == [0.75, 0.75]
    assert report.figures["orion_max_error"] == 0
    assert report.figures["orion_by_name_max_error"] == pytest.approx(0)
    assert report.figures["orion_published_max_error"] == pytest.approx(0.09)  # 0.84 is published for bert_2_fwd


def test_jobs_are_ranked_by_power_and_by_slow_down(tmp_path: Path) -> None:
    """Three jobs at 250 W draw 240, 150 and 60 W; at 100 W they take 2, 1.2 and 1 times as long: the same order."""
    rows = [
        ("d", f"n{i}", 8, "sgd", limit, slow ** ((250 - limit) / 150), watts)
        for i, (watts, slow) in enumerate([(240, 2.0), (150, 1.2), (60, 1.0)])
        for limit in (100, 150, 250)
    ]
    names = ["dataset", "network", "batch_size", "optimizer", "power_limit", "time_per_epoch", "average_power"]
    for gpu in ("a40", "p100", "rtx6000", "v100"):
        pd.DataFrame(rows, columns=names).to_csv(tmp_path / f"summary_power_{gpu}.csv", index=False)
    assert zeus(tmp_path).figures == {
        "zeus_rank_correlation": pytest.approx(1),
        "zeus_rank_correlation_min": pytest.approx(1),
    }


def test_windows_of_e2_are_two_workloads_and_signals_can_be_taken_away(tmp_path: Path) -> None:
    """GPU 3 is of the inference half and GPU 4 of the training half; 57 % become 0.57."""
    channels = ("power_w", "gpu_util_pct", "mem_util_pct", "sm_active", "tensor_active", "dram_active", "fp16_active",
                "mem_used_mib", "pcie_tx_bytes_s", "pcie_rx_bytes_s", "nvlink_tx_bytes_s", "nvlink_rx_bytes_s")  # fmt: skip
    made = {f"{name}_{kind}": [57.0] * 3 for name in channels for kind in ("mean", "std")}
    pd.DataFrame({"run": ["e2", "e2", "b1"], "gpu": [3, 4, 4]} | made).to_csv(tmp_path / "windows.csv.gz", index=False)
    windows = read_windows(tmp_path)
    assert windows.workload.tolist() == ["e2 inference half", "e2 training half", "b1 idle, model loaded"]
    assert windows.mean[SIGNAL["gpu_utilization_ratio"]].tolist() == pytest.approx([0.57] * 3)
    assert np.isnan(without(windows.mean, "power_watts")[SIGNAL["power_watts"]]).all()


def test_peers_lines() -> None:
    """A busy GPU with full memory: a utilisation dashboard says compute, and so do lines that take SM activity first."""
    values = np.zeros((len(SIGNAL), 1))
    for name, value in {"gpu_utilization_ratio": 1.0, "sm_active_ratio": 1.0, "dram_active_ratio": 0.78}.items():
        values[SIGNAL[name]] = value
    assert _by_utilization(values).tolist() == _kempner(values).tolist() == [Bottleneck.COMPUTE]
