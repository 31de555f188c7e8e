"""Reading small files, and watching a tree of folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.host import parse
from collector.host.files import KeptFiles, read_file
from collector.host.recognise import recognise
from collector.host.tree import CgroupTree


@pytest.mark.parametrize("limit", [0, 10])
@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 10_000])
def test_a_file_is_read_whole_each_time(tmp_path: Path, limit: int, size: int) -> None:
    """With a descriptor to spare or without, around the size of one read."""
    file = tmp_path / "f"
    file.write_bytes(b"x" * size)
    kept = KeptFiles(limit).open(str(file))
    assert kept is not None
    assert kept.read() == b"x" * size == read_file(str(file))
    file.write_bytes(b"new")
    assert kept.read() == b"new"
    kept.close()


def test_descriptors_are_bounded_and_given_back(tmp_path: Path) -> None:
    """A limit of two: the third file is opened for each read, until one of the two is closed."""
    for name in "abc":
        (tmp_path / name).write_text(name)
    before = _open_files()
    files = KeptFiles(limit=2)
    a, b, c = (files.open(str(tmp_path / name)) for name in "abc")
    assert _open_files() == before + 2
    assert a is not None
    assert b is not None
    assert c is not None
    assert c.read() == b"c"
    a.close()
    again = files.open(str(tmp_path / "a"))
    assert again is not None
    assert _open_files() == before + 2
    for file in (b, c, again):
        file.close()


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_missing_file_is_none() -> None:
    assert KeptFiles(1).open("/nowhere/at/all") is None


def test_a_tree_is_listed_again_only_where_it_changed(tmp_path: Path) -> None:
    """A new unit shows at the next walk; without a change a walk says so."""
    (tmp_path / "system.slice/a.service").mkdir(parents=True)
    tree = CgroupTree(str(tmp_path), recognise)
    assert list(tree.walk()[0]) == ["/system.slice/a.service"]
    assert tree.walk()[1] is False
    (tmp_path / "system.slice/b.service").mkdir()
    found, changed = tree.walk()
    assert (sorted(found), changed) == (["/system.slice/a.service", "/system.slice/b.service"], True)
    (tmp_path / "system.slice/a.service").rmdir()
    found, changed = tree.walk()
    assert (sorted(found), changed) == (["/system.slice/b.service"], True)


def test_nothing_below_a_workload_is_looked_at(tmp_path: Path) -> None:
    """A unit may delegate its cgroup and make any number below it."""
    (tmp_path / "system.slice/a.service/b.service").mkdir(parents=True)
    assert list(CgroupTree(str(tmp_path), recognise).walk()[0]) == ["/system.slice/a.service"]


def test_a_deep_tree_is_cut(tmp_path: Path) -> None:
    """Something that nests cgroups without end does not stop the collector."""
    (tmp_path / "/".join("d" * 40)).mkdir(parents=True)
    assert CgroupTree(str(tmp_path), recognise).walk()[0] == {}


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"garbage", b"some", b"usage_usec x\n", b"\xff\xfe", b"8:0 rbytes=x wbytes="]
)
def test_what_makes_no_sense_is_missing(data: bytes) -> None:
    """A parser never raises and never makes a number up."""
    assert parse.first_field(data, b"usage_usec ") is None
    assert parse.number(data) is None
    assert parse.pressure_us(data) is None
    assert parse.cpu_max(data) is None
    assert parse.io_stat(data, ()) == (0, 0)
    assert parse.blkio(data, ()) == (0, 0)
    assert parse.net_dev(data) == (0, 0)


def test_unlimited_is_none() -> None:
    """v2 says max, v1 the largest number of pages, CFS -1."""
    assert parse.limit(b"max\n") is None
    assert parse.limit(b"9223372036854771712\n") is None
    assert parse.cpu_max(b"max 100000\n") is None
    assert parse.quota_cores(-1, 100_000) is None
    assert parse.cpu_max(b"150000 100000\n") == 1.5
