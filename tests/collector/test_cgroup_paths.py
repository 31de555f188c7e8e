"""Cgroup paths as a collector in a container reads them, and as the host has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.host.cgroup_paths import CgroupPaths, cgroup_paths

OWN = "kubepods.slice/kubepods-podA.slice/cri-1.scope"
PID = 4711


@pytest.fixture
def in_a_pod(tmp_path: Path) -> CgroupPaths:
    """A collector three cgroups deep in a namespace of its own, that sees the host's processes and cgroup mount."""
    (tmp_path / "tree" / OWN).mkdir(parents=True)
    (tmp_path / "tree" / "cgroup.procs").write_text("1\n2\n")
    (tmp_path / "tree" / OWN / "cgroup.procs").write_text(f"{PID}\n")
    for pid, path in ((1, "/../../../init.scope"), (PID, "/")):
        (tmp_path / "proc" / str(pid)).mkdir(parents=True)
        (tmp_path / "proc" / str(pid) / "cgroup").write_text(f"0::{path}\n")
    return cgroup_paths(str(tmp_path / "proc"), str(tmp_path / "tree"), b"0::", PID)


@pytest.mark.parametrize(
    ("told", "is_at"),
    [
        ("/", f"/{OWN}"),
        ("/../../../init.scope", "/init.scope"),
        ("/../../kubepods-podB.slice/cri-2.scope", "/kubepods.slice/kubepods-podB.slice/cri-2.scope"),
        ("/../cri-3.scope", "/kubepods.slice/kubepods-podA.slice/cri-3.scope"),
        ("/../../..", "/"),
    ],
)
def test_paths_are_led_back_to_the_root_of_the_host(in_a_pod: CgroupPaths, told: str, is_at: str) -> None:
    """Each `..` goes one up from the collector's own cgroup, which is three below the root."""
    assert in_a_pod.of([f"0::{told}".encode()]) == is_at


def test_a_process_without_the_hierarchy_has_no_path(in_a_pod: CgroupPaths) -> None:
    assert in_a_pod.of([b"4:memory:/x", b""]) == ""


def test_on_the_host_itself_paths_are_as_they_are(tmp_path: Path) -> None:
    """Process 1 is not told from below: nothing is looked for, and nothing changes."""
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "cgroup").write_text("0::/init.scope\n")
    paths = cgroup_paths(str(tmp_path), str(tmp_path), b"0::", PID)
    assert (paths.root, paths.of([b"0::/user.slice/a:b"])) == ("", "/user.slice/a:b")
