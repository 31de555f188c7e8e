"""Demand of jobs that have not run, from workloads like them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from models.bottleneck import CLASSES, Bottleneck
from models.duration8 import from_duration8, to_duration8
from models.hardware.discovery import code_of, find_gpu
from models.peak16 import to_peak16
from models.profile import PEAK_DAYS, RUNS
from recommender.kin import JobFacts, KinIndex
from recommender.kin.keeper import KinKeeper
from recommender.view import Snapshot, View
from tests.recommender.kin.fleets import GIB, fleet, job, node

BERTS = [job(f"bert-{k}") for k in range(20)]
WEBS = [job(f"web-{k}") for k in range(20)]
MIXED = fleet(BERTS + WEBS, [8.0] * 20 + [0.5] * 20, [32.0] * 20 + [1.0] * 20)


def test_a_job_needs_what_workloads_of_its_name_need() -> None:
    """20 berts use 8 cores and 32 GiB, 20 webs a half and 1: bert-new is guessed at 8, far nearer than at the median of all."""
    answer = KinIndex.of(MIXED).predict(JobFacts(job("bert-new")))
    assert answer.demand["cpu_p50_cores"].guess == pytest.approx(8, rel=0.2)
    assert answer.demand["memory_peak_bytes"].guess == pytest.approx(1.2 * 32 * GIB, rel=0.2)
    assert {kin.workload for kin in answer.kin} <= set(BERTS)
    assert [kin.distance for kin in answer.kin] == sorted(kin.distance for kin in answer.kin)


def test_image_and_command_find_kin_whatever_the_name() -> None:
    """The new job is called `x`; its image is that of `trainer`, in another registry and version."""
    told = node(
        trainer=("registry.a/ml/whisper:1.2", "python train.py --lr 1e-4"), other=("docker.io/library/nginx:1", "")
    )
    index = KinIndex.of(fleet([job("trainer"), job("other")], [6.0, 0.1], [10.0, 0.1], nodes={"c/n": told}))
    asked = JobFacts(job("x"), image="ghcr.io/ml/whisper@sha256:ab", command=("python", "train.py"))
    answer = index.predict(asked)
    assert (answer.kin[0].workload, answer.kin[0].image) == (job("trainer"), "registry.a/ml/whisper:1.2")
    assert answer.kin[0].weight_ratio > 0.8  # the other one shares `team` and `main`


def test_the_batch_size_tells_which_of_its_kin_it_is_like() -> None:
    """The same program at batch 8 takes 4 GiB and at batch 128 40; at 128 by its own word it is guessed nearer to 40."""
    small, large = ("img", "train.py --batch-size 8"), ("img", "train.py --batch-size=128")
    told = node(a=small, b=large, c=small, d=large)
    index = KinIndex.of(fleet([job(k) for k in "abcd"], 1.0, [4, 40, 4, 40], nodes={"c/n": told}))
    by_field = index.predict(JobFacts(job("e"), image="img", batch_size=128.0))
    by_command = index.predict(JobFacts(job("e"), image="img", command=("train.py", "--batch-size", "128")))
    for answer in (by_field, by_command):
        assert answer.demand["memory_p50_bytes"].guess == pytest.approx(40 * GIB, rel=0.3)


def test_the_interval_is_wide_when_kin_are_few() -> None:
    """One bert among 60 webs: the interval of a new bert is wider than that of a new web, of which many agree."""
    ids = [job("bert-a"), *(job(f"web-{k}") for k in range(60))]
    cores = np.exp(np.random.default_rng(1).normal(0, 0.3, 61)) * np.array([8.0] + [0.5] * 60)
    index = KinIndex.of(fleet(ids, cores, 1.0))
    few, many = (index.predict(JobFacts(job(name))).demand["cpu_p50_cores"] for name in ("bert-new", "web-new"))
    assert few.high / few.low > 1.5 * many.high / many.low


def test_nobody_like_it_gives_what_all_need_and_says_so() -> None:
    """Half of 40 workloads use 8 cores and half 0.5; of a job that shares no word the interval spans both."""
    answer = KinIndex.of(MIXED).predict(JobFacts("z/zz/Zzz/zzz/zz"))
    found = answer.demand["cpu_p50_cores"]
    assert answer.kin == ()
    assert answer.kin_weight == 0
    assert "no known workload shares a word" in answer.missing["kin"]
    assert found.low <= 0.5
    assert found.high >= 8


def test_an_empty_view_gives_reasons_and_no_number() -> None:
    answer = KinIndex.of(Snapshot()).predict(JobFacts(job("a"), gpus=1))
    assert answer.demand == {}
    assert answer.bottleneck is None
    assert "no workload" in answer.missing["cpu_p50_cores"]


def test_fewer_than_nine_workloads_give_no_upper_end() -> None:
    """The conformal rank for 90 % of eight scores is the ninth of eight."""
    answer = KinIndex.of(fleet([job(f"a-{k}") for k in range(8)], 1.0, 1.0)).predict(JobFacts(job("a-x")))
    assert answer.demand["cpu_p50_cores"].high == np.inf
    assert "nine" in answer.missing["high"]
    more = KinIndex.of(fleet([job(f"a-{k}") for k in range(9)], 1.0, 1.0)).predict(JobFacts(job("a-x")))
    assert np.isfinite(more.demand["cpu_p50_cores"].high)


GPU = {
    "gpu_last_seen_ms": 1,
    "gpu_count": 1,
    "gpu_model": code_of("NVIDIA A100-SXM4-80GB"),
    "gpu_framebuffer_peak": np.broadcast_to(to_peak16(np.array([20 * GIB])), (12, PEAK_DAYS)),
    "gpu_class_seconds": np.eye(CLASSES)[Bottleneck.MEMORY_BANDWIDTH] * 3 + np.eye(CLASSES)[Bottleneck.COMPUTE],
    "run_length": np.tile(np.array([to_duration8(3600.0)] * 2 + [0] * (RUNS - 2), dtype=np.uint8), (12, 1)),
}


def test_device_memory_bottleneck_and_run_time() -> None:
    """Twelve runs of 20 GiB, three quarters of the time limited by memory bandwidth, an hour long (within 6 %)."""
    index = KinIndex.of(fleet([job(f"llm-{k}") for k in range(12)], 1.0, 1.0, GPU))
    answer = index.predict(JobFacts(job("llm-new"), gpus=1, gpu_model="NVIDIA A100-SXM4-80GB"))
    assert answer.demand["gpu_memory_peak_bytes"].guess == pytest.approx(20 * GIB, rel=0.02)
    assert answer.demand["run_time_s"].guess == pytest.approx(3600, rel=0.06)
    assert answer.bottleneck == Bottleneck.MEMORY_BANDWIDTH
    assert answer.classes == {Bottleneck.MEMORY_BANDWIDTH: pytest.approx(0.75), Bottleneck.COMPUTE: pytest.approx(0.25)}


def test_never_more_device_memory_than_the_board_has() -> None:
    """Kin took 20 GiB on an A100; a T4 has 15."""
    index = KinIndex.of(fleet([job(f"llm-{k}") for k in range(12)], 1.0, 1.0, GPU))
    found = index.predict(JobFacts(job("llm-new"), gpus=1, gpu_model="Tesla T4")).demand["gpu_memory_peak_bytes"]
    assert found.low <= found.guess <= found.high <= 16 * 2**30


def boards(gib_of: Mapping[str, float]) -> Snapshot:
    """Twelve runs of one program on each of these GPU models, that took so much."""
    names = [(model, k) for model in gib_of for k in range(12)]
    peaks = to_peak16(np.array([gib_of[model] * GIB for model, _ in names]))
    told = GPU | {
        "gpu_model": [code_of(model) for model, _ in names],
        "gpu_framebuffer_peak": np.broadcast_to(peaks[:, None], (len(names), PEAK_DAYS)),
        "run_length": 0,
    }
    return fleet([job(f"llm-{k}", m.split()[-1].lower()) for m, k in names], 1.0, 1.0, told)


A100_40, A100_80, H100, T4 = "NVIDIA A100-SXM4-40GB", "NVIDIA A100-SXM4-80GB", "NVIDIA H100 80GB HBM3", "Tesla T4"


def test_what_fills_a_board_is_guessed_as_its_share() -> None:
    """0.9 of 40, 80 and 80 GiB: on a T4, which nobody has, 0.9 of its memory, and not the 36 of the nearest in size."""
    index = KinIndex.of(boards({A100_40: 36, A100_80: 72, H100: 72}))
    assert index.calibration.by_share
    found = index.predict(JobFacts(job("llm-new"), gpus=1, gpu_model=T4)).demand["gpu_memory_peak_bytes"]
    assert found.guess == pytest.approx(0.9 * find_memory(T4), rel=0.03)


def test_what_takes_the_same_everywhere_is_guessed_in_bytes() -> None:
    """10 GiB on each."""
    index = KinIndex.of(boards({A100_40: 10, A100_80: 10, H100: 10}))
    assert not index.calibration.by_share
    found = index.predict(JobFacts(job("llm-new"), gpus=1, gpu_model=T4)).demand["gpu_memory_peak_bytes"]
    assert found.guess == pytest.approx(10 * GIB, rel=0.03)


def test_on_a_gpu_that_nobody_has_intervals_are_wider() -> None:
    """Memory differs between boards and not on one of them: known boards are guessed well, a new one is not."""
    index = KinIndex.of(boards({T4: 2, A100_40: 10, H100: 60}))
    known, new = (
        index.predict(JobFacts(job("llm-new"), gpus=1, gpu_model=model)).demand["gpu_memory_peak_bytes"]
        for model in (H100, "NVIDIA L40S")
    )
    assert new.high / new.low > known.high / known.low
    assert (index.calibration.new_board >= index.calibration.factor).all()


def find_memory(model: str) -> int:
    found = find_gpu(model)
    assert found is not None
    return found.memory_bytes


def test_what_does_not_apply_says_why() -> None:
    index = KinIndex.of(fleet([job(f"llm-{k}") for k in range(12)], 1.0, 1.0, GPU))
    assert index.predict(JobFacts(job("llm"), gpus=0)).missing["gpu_memory_peak_bytes"] == "it asks for no GPU"
    service = index.predict(JobFacts("c/team/Deployment/llm/main", gpus=1))
    assert service.missing["run_time_s"] == "a service runs on and on"


def test_its_own_telemetry_takes_over() -> None:
    """A bert that in fact uses 2 cores: unknown 8 is guessed, after 6 minutes (1/11 its own) less, after 9 hours nearly 2,
    in an interval of a tenth of the width and never below the peak that was seen."""
    guesses, widths = [], []
    for hours in (0.0, 0.1, 9.0):
        covered = [36_000_000] * 40 + [int(hours * 3.6e6)]
        ids, cores = [*BERTS, *WEBS, job("bert-new")], [8.0] * 20 + [0.5] * 20 + [2.0]
        found = KinIndex.of(fleet(ids, cores, 1.0, {"covered_ms": covered})).predict(JobFacts(job("bert-new")))
        guesses.append(found.demand["cpu_p50_cores"].guess)
        widths.append(np.log(found.demand["cpu_p50_cores"].high / found.demand["cpu_p50_cores"].low))
        assert found.demand["cpu_peak_cores"].low >= 6.0 * (1 - 1e-9)
    assert guesses[0] > guesses[1] > guesses[2]
    assert guesses[2] == pytest.approx(2, rel=0.2)
    assert widths[0] > widths[1] > widths[2]


def test_the_same_question_has_the_same_answer() -> None:
    asked = JobFacts(job("bert-new"), cpu_cores=4.0)
    assert KinIndex.of(MIXED).predict(asked) == KinIndex.of(MIXED).predict(asked)


def test_the_keeper_follows_a_small_view_and_leaves_what_it_gave() -> None:
    view = View()
    keeper = KinKeeper(view)
    assert len(keeper.index) == 0
    view.snapshot = MIXED
    first = keeper.index
    assert len(first) == 40
    assert keeper.index is first
    view.snapshot = fleet(BERTS, 1.0, 1.0)
    assert len(keeper.index) == 20
    assert len(first) == 40


def test_a_view_that_was_asked_before_the_log_was_read_is_not_told_from_nobody() -> None:
    """Asked while empty; then there are 2,001 workloads, which are more than an index is made of at each question."""
    view = View()
    keeper = KinKeeper(view)
    assert len(keeper.index) == 0
    view.snapshot = fleet([job(f"web-{k}") for k in range(2001)], 1.0, 1.0)
    first = keeper.index
    assert len(first) == 2001
    view.snapshot = fleet([job(f"web-{k}") for k in range(2002)], 1.0, 1.0)
    assert keeper.index is first


def test_durations_are_kept_within_three_percent() -> None:
    """Twelve steps a doubling: half a step is 2^(1/24) = 2.9 %."""
    seconds = np.array([1.0, 59.0, 3600.0, 86_400.0, 2e6])
    assert np.allclose(from_duration8(to_duration8(seconds)), seconds, rtol=0.03)
    assert np.isnan(from_duration8(np.zeros(1, np.uint8)))[0]


def test_a_small_change_of_a_view_does_not_calibrate_anew() -> None:
    """One more of 120 workloads keeps the calibration until the next `refresh`; twice as many do not."""
    view, rng = View(), np.random.default_rng(0)
    ids = [job(f"web-{k}") for k in range(240)]
    cores = np.exp(rng.normal(0, 1, 240))
    view.snapshot = fleet(ids[:120], cores[:120], 1.0)
    keeper = KinKeeper(view)
    first = keeper.index.calibration
    view.snapshot = fleet(ids[:121], cores[:121], 1.0)
    assert len(keeper.index) == 121
    assert keeper.index.calibration is first
    assert keeper.refresh().calibration is not first
    second = keeper.index.calibration
    view.snapshot = fleet(ids, cores, 1.0)
    assert keeper.index.calibration is not second
