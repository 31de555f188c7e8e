"""Versions of a model in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommender.fingerprint.shelf import KEPT, Files, Shelf, ShelfError


def files(text: str) -> Files:
    return Files(text.encode(), b"arrays", b"card")


def test_what_is_promoted_is_current(tmp_path: Path) -> None:
    """The folder is made; a second version takes over and the first can still be read."""
    shelf = Shelf(tmp_path / "models")
    assert shelf.current() is None
    for version in ("1000", "2000"):
        shelf.promote(version, files(version))
    assert shelf.current() == "2000"
    assert shelf.read("1000") == files("1000")
    assert shelf.versions() == ["1000", "2000"]


def test_going_back_is_a_word_in_a_file(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for version in ("1000", "2000"):
        shelf.promote(version, files(version))
    (tmp_path / "current").write_text("1000\n")
    assert shelf.read(shelf.current() or "") == files("1000")


def test_only_the_newest_are_kept_and_never_is_the_current_one_lost(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for k in range(KEPT + 3):
        shelf.promote(str(1000 + k), files(str(k)))
    assert shelf.versions() == [str(1000 + k) for k in range(3, KEPT + 3)]
    assert len(list(tmp_path.iterdir())) == 3 * KEPT + 1


def test_a_version_half_written_is_none(tmp_path: Path) -> None:
    """Killed between two files: `current` still names the one before, and the half is not among the versions."""
    shelf = Shelf(tmp_path)
    shelf.promote("1000", files("1000"))
    (tmp_path / "2000.ubj").write_bytes(b"half")
    assert shelf.current() == "1000"
    assert shelf.versions() == ["1000"]


@pytest.mark.parametrize("said", ["", "../secret", "a/b", "1000 2000", "é"])
def test_a_name_that_is_no_version_is_refused(tmp_path: Path, said: str) -> None:
    """`current` is a file that people edit: it cannot lead out of the folder."""
    (tmp_path / "current").write_text(said)
    with pytest.raises(ShelfError, match="must be the name of a version"):
        Shelf(tmp_path).current()


def test_a_version_that_is_gone_names_file_and_mend(tmp_path: Path) -> None:
    (tmp_path / "current").write_text("1000")
    with pytest.raises(ShelfError, match=r"1000\.ubj.*train again"):
        Shelf(tmp_path).read("1000")


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ShelfError, match="name a folder that can be written"):
        Shelf(tmp_path / "file").promote("1", files("1"))
