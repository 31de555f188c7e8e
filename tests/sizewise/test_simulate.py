"""`sizewise simulate`: traces are read or refused with a line number, and every policy sees the same arrivals."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from recommender.placement.request import Request
from recommender.placement.simulate import POLICIES
from recommender.placement.stays import Stay
from sizewise.__main__ import cli, main
from sizewise.trace import TraceError, drawn, drawn_stays, read_nodes, read_pods, read_stays

MIB = 2**20
NODES = "sn,cpu_milli,memory_mib,gpu,model\nn0,8000,8192,1,T4\nn1,64000,65536,2,\n"
PODS = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos
a,1000,1024,1,500,,LS
b,1000,1024,1,500,T4|T4|V100,LS
c,4000,1024,2,1000,,LS
d,1000,1024,1,1000,,LS
e,1000,1024,0,0,T4,BE
"""


@pytest.fixture
def trace(tmp_path: Path) -> tuple[Path, Path]:
    """Pods and nodes; three GPUs are there, four are asked for."""
    pods, nodes = tmp_path / "pods.csv", tmp_path / "nodes.csv"
    pods.write_text(PODS)
    nodes.write_text(NODES)
    return pods, nodes


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, ["simulate", *map(str, words)], catch_exceptions=False)


def test_a_trace_is_read_as_it_is_written(trace: tuple[Path, Path]) -> None:
    """GPU shares in thousandths, models as a set, MiB as bytes; a pod without GPU has no GPU model."""
    cluster, pods = read_nodes(trace[1]), read_pods(trace[0])
    assert (cluster.names, cluster.model) == (["n0", "n1"], ["T4", ""])
    assert cluster.gpu_milli.tolist() == [[1000, 1000], [-1, 1000]]
    assert pods[1] == Request(1000, 1024 * MIB, 1, 500, ("T4", "V100"))
    assert pods[4] == Request(1000, 1024 * MIB)


def test_pods_go_only_to_nodes_whose_taints_they_tolerate(tmp_path: Path) -> None:
    """n0 is cordoned and n1 bears two taints: of three pods that fit anywhere the one that bears both is placed, under every
    policy, and one of 1 GPU is 1/2 of what there is."""
    pods, nodes = tmp_path / "pods.csv", tmp_path / "nodes.csv"
    cordon = "node.kubernetes.io/unschedulable:NoSchedule"
    nodes.write_text(
        "sn,cpu_milli,memory_mib,gpu,model,taints\n"
        f"n0,8000,8192,1,T4,{cordon}\nn1,8000,8192,1,T4,gpu=yes:NoSchedule|team=ml:NoExecute\n"
    )
    pods.write_text(
        "cpu_milli,memory_mib,num_gpu,gpu_milli,tolerations\n"
        "1000,1024,1,1000,\n1000,1024,1,1000,gpu\n1000,1024,1,1000,team=ml:NoExecute|gpu=yes:NoSchedule\n"
    )
    policies = json.loads(run(pods, "--nodes", nodes, "-o", "json").output)["policies"]
    assert {p["policy"]: (p["failed_pods"], p["gpu_allocated_ratio"]) for p in policies} == dict.fromkeys(
        POLICIES, (2.0, 0.5)
    )


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [("taints", "gpu:NoScedule", "is no taint"), ("tolerations", "=x:NoSchedule", "is no toleration")],
)
def test_a_taint_that_cannot_be_read_is_named_with_its_line(column: str, value: str, said: str, tmp_path: Path) -> None:
    """A taint that is left out would open the node."""
    file = tmp_path / "trace.csv"
    file.write_text(f"cpu_milli,memory_mib,gpu,num_gpu,gpu_milli,{column}\n1,1,1,1,1000,{value}\n")
    with pytest.raises(TraceError, match=rf"line 2: '{value}' {said}"):
        read_nodes(file) if column == "taints" else read_pods(file)


def test_a_gzip_file_says_the_same(trace: tuple[Path, Path], tmp_path: Path) -> None:
    """By the end of its name."""
    packed = tmp_path / "pods.csv.gz"
    packed.write_bytes(gzip.compress(PODS.encode()))
    assert read_pods(packed) == read_pods(trace[0])


def test_every_policy_is_compared_on_the_same_arrivals(trace: tuple[Path, Path]) -> None:
    """Best fit puts a and b on n0, which leaves n1 to c; d finds no room: 3 of 3 GPUs, one failure of 1 GPU."""
    pods, nodes = trace
    whole = json.loads(run(pods, "--nodes", nodes, "-o", "json").output)
    assert (whole["nodes"], whole["gpus"], whole["pods_in_trace"]) == (2, 3, 5)
    assert {policy["policy"] for policy in whole["policies"]} == set(POLICIES)
    best = next(policy for policy in whole["policies"] if policy["policy"] == "best-fit")
    assert (best["gpu_allocated_ratio"], best["arrived_pods"], best["failed_pods"]) == (1.0, 5, 1)
    assert best["each"] == [{"seed": None, "gpu_allocated_ratio": 1.0, "failed_by_size": {"1 GPU": 1}}]
    assert best["decisions_per_s"] > 0
    ratios = [policy["gpu_allocated_ratio"] for policy in whole["policies"]]
    assert ratios == sorted(ratios, reverse=True)


def test_the_table_names_what_failed_and_csv_has_one_line_a_policy(trace: tuple[Path, Path]) -> None:
    """For people and for programs; the progress bar is not in either."""
    pods, nodes = trace
    text = run(pods, "--nodes", nodes, "--policy", "best-fit").output
    assert "100.00%" in text
    assert "1 of 1 GPU" in text
    rows = list(csv.DictReader(io.StringIO(run(pods, "--nodes", nodes, "-o", "csv").output)))
    assert {row["policy"] for row in rows} == set(POLICIES)


def test_a_load_draws_pods_anew_for_each_seed(trace: tuple[Path, Path]) -> None:
    """Twice the three GPUs: 6000 milli at most, and not a pod of 2000 less. The mean of two runs is shown."""
    pods, nodes = trace
    known = read_pods(pods)
    coming = drawn(known, 3000, 1, 2.0)
    assert set(coming[:5]) == set(known)
    assert 4000 < sum(pod.total_gpu_milli for pod in coming) <= 6000
    words = ("--policy", "random", "--load", 2, "--seed", 1, "--seed", 2, "-o", "json")
    (policy,) = json.loads(run(pods, "--nodes", nodes, *words).output)["policies"]
    assert [each["seed"] for each in policy["each"]] == [1, 2]
    assert policy["gpu_allocated_ratio"] == pytest.approx(
        sum(e["gpu_allocated_ratio"] for e in policy["each"]) / 2, abs=1e-5
    )


STAYS = """cpu_milli,memory_mib,num_gpu,gpu_milli,creation_time,deletion_time
1000,1024,2,1000,100,200
1000,1024,1,1000,0,150
1000,1024,1,1000,120,
"""


def test_pods_that_leave_are_compared_over_time(trace: tuple[Path, Path], tmp_path: Path) -> None:
    """Three GPUs, pods by arrival: 1 GPU from 0 s, 2 from 100 s, 1 from 120 s, which finds no room. To 120 s: 1 GPU for 120 s
    and 2 for 20 s, of 360 GPU seconds."""
    pods = tmp_path / "stays.csv"
    pods.write_text(STAYS)
    assert [stay.arrives_s for stay in read_stays(pods)] == [0, 100, 120]
    whole = json.loads(run(pods, "--nodes", trace[1], "--leave", "--policy", "best-fit", "-o", "json").output)
    (policy,) = whole["policies"]
    assert policy["gpu_allocated_ratio"] == pytest.approx(160 / 360, abs=1e-6)
    assert policy["gpu_asked_ratio"] == pytest.approx(160 / 360, abs=1e-6)
    assert policy["each"][0]["failed_by_size"] == {"1 GPU": 1}
    assert "44.44% of the GPUs were asked for" in run(pods, "--nodes", trace[1], "--leave").output


def test_a_load_of_pods_that_leave_is_asked_for_all_the_time() -> None:
    """2,000 pods of one GPU, for 10 s or 1,000 s, on 100 GPUs: in the mean 90 are asked for. Those there at the start are, by
    GPU time, the long ones: 1000 in 1010."""
    stays = [Stay(Request(0, 0, 1, 1000), 0, (10, 1000)[n % 2]) for n in range(2000)]
    coming = drawn_stays(stays, 100_000, 1, 0.9)
    there = [stay for stay in coming if stay.arrives_s == 0]
    assert (len(there), len(coming)) == (90, 2090)
    assert sum(stay.leaves_s > 10 for stay in there) >= 80
    end = coming[-1].arrives_s
    asked_s = sum(min(stay.leaves_s, end) - stay.arrives_s for stay in coming)
    assert asked_s / end / 100 == pytest.approx(0.9, rel=0.1)
    assert [s.arrives_s for s in coming] == sorted(s.arrives_s for s in coming)


@pytest.mark.parametrize(
    ("stays", "words", "said"),
    [
        (STAYS.replace("200", "99"), (), "line 2: deletion_time is 99, before creation_time 100"),
        (STAYS.replace("200", "soon"), (), "line 2: deletion_time is 'soon'"),
        (STAYS, ("--load", "1"), "all need a deletion_time"),
        (PODS, (), "no column creation_time, deletion_time"),
    ],
)
def test_times_that_mean_nothing_are_refused(
    trace: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    stays: str,
    words: tuple[str, ...],
    said: str,
) -> None:
    """A pod that leaves before it comes, no time, a draw from pods that never leave, a trace without times."""
    pods = tmp_path / "stays.csv"
    pods.write_text(stays)
    with pytest.raises(SystemExit) as ended:
        main(["simulate", str(pods), "--nodes", str(trace[1]), "--leave", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,cpu_milli\na,1\n", "no column memory_mib, num_gpu, gpu_milli"),
        (PODS + "f,many,1,0,0,,\n", "line 7: cpu_milli is 'many'"),
        (PODS + "f,1,1,1,1001,,\n", "line 7: gpu_milli is '1001'"),
        (PODS + "f,1,1,2,500,,\n", "line 7: gpus is 2 with gpu_milli 500"),
        (PODS + "f,1,1\n", "line 7: num_gpu is None"),
        ("\x00", "no column"),
    ],
)
def test_a_pod_that_cannot_be_read_is_named_by_its_line(tmp_path: Path, text: str, said: str) -> None:
    """File, line, column, value and what would be right."""
    file = tmp_path / "pods.csv"
    file.write_text(text)
    with pytest.raises(TraceError, match=said):
        read_pods(file)


def test_a_file_that_is_no_gzip_is_an_error_of_ours(tmp_path: Path) -> None:
    """Not one of the library."""
    file = tmp_path / "pods.csv.gz"
    file.write_bytes(b"plain")
    with pytest.raises(TraceError, match="cannot be read"):
        read_pods(file)


@pytest.mark.parametrize(
    ("pods", "nodes", "words", "code", "said"),
    [
        (PODS.splitlines()[0] + "\n", NODES, (), 4, "has no pod"),
        (PODS, NODES.splitlines()[0] + "\n", (), 2, "has no node"),
        (PODS, NODES.splitlines()[0] + "\nn,1000,1,0,\n", (), 4, "has no GPU"),
        (PODS.splitlines()[0] + "\ne,1,1,0,0,,\n", NODES, ("--load", "1"), 2, "no pod of the trace asks for GPU"),
    ],
)
def test_a_trace_with_nothing_to_compare_ends_with_its_reason(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    pods: str,
    nodes: str,
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    """One line on standard error, and the exit code of its kind."""
    (tmp_path / "p.csv").write_text(pods)
    (tmp_path / "n.csv").write_text(nodes)
    with pytest.raises(SystemExit) as ended:
        main(["simulate", str(tmp_path / "p.csv"), "--nodes", str(tmp_path / "n.csv"), *words])
    assert ended.value.code == code
    assert said in capsys.readouterr().err
