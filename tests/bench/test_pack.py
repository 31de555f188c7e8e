"""The packing bench reads ParvaGPU's files as they are: throughput per process, zeros for out of memory, N/A."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import pack
from bench.report import MissingDataError


def write(folder: Path) -> Path:
    """Two networks, two sizes; set 1 asks for one of them."""
    data = folder / "parvagpu"
    (data / "prof_data").mkdir(parents=True)
    (data / "SLO").mkdir()
    header = "Mig instance,Batch size,Workload Number,Throughput,Latency\n"
    (data / "prof_data" / "bert.csv").write_text(header + "1,1,1,100,0.01\n1,1,2,60,0.02\n2,8,1,0,0\n")
    (data / "prof_data" / "vgg.csv").write_text(header + "7,1,1,50,0.01\n")
    (data / "SLO" / "SLO_req_rate.csv").write_text("800,N/A\n" * 6)
    (data / "SLO" / "SLO_latency.csv").write_text("100,N/A\n" * 6)
    for n in range(1, 7):
        (data / "deployment" / f"SLO{n}").mkdir(parents=True)
        deployment = "Num instance,Num GPU,Model,Placement,Instance size,Batch size,Num proc\n0,0,bert,0,1,1,1\n0,1,bert,0,1,1,1\n"
        (data / "deployment" / f"SLO{n}" / f"SLO{n}_ParvaGPU_deploy.csv").write_text(deployment)
    return folder


def test_throughput_is_multiplied_by_processes_and_zeros_are_left_out(tmp_path: Path) -> None:
    """60 requests/s in each of two processes are 120 of the instance."""
    points = pack.read_points(write(tmp_path) / "parvagpu")["bert"]
    assert [(p.processes, p.requests_per_s) for p in points] == [(1, 100.0), (2, 120.0)]


def test_the_bench_runs_on_files_of_that_shape(tmp_path: Path) -> None:
    """800 requests/s at 120 an instance are seven 1g: one GPU; the published deployment has two."""
    report = pack.run(write(tmp_path))
    assert [report.figures[f"pack_gpus_{n}"] for n in range(1, 7)] == [1] * 6
    assert report.figures["pack_proven"] == 6
    assert report.rows[3]["set 1"] == 2


def test_without_the_data_the_mend_is_said(tmp_path: Path) -> None:
    """The folder lacks parvagpu/."""
    with pytest.raises(MissingDataError, match="parvagpu"):
        pack.run(tmp_path)
