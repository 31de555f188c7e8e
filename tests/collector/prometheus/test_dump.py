"""A dump in OpenMetrics text answers as a server does."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.prometheus.dump import Dump, read_dump
from collector.source import SourceError

MEMORY = "container_memory_working_set_bytes"


@pytest.fixture
def dump(tmp_path: Path) -> Dump:
    file = tmp_path / "all.om"
    series = {f'{MEMORY}{{namespace="shop",pod="a"}}': 1, f'{MEMORY}{{namespace="web",pod="b c",note="\\"}}\\\\"}}': 2}
    lines = [f"{key} {size * 10 + i} {100 + 10 * i}" for key, size in series.items() for i in range(6)]
    file.write_text("\n".join([*lines, lines[0], "# EOF"]))
    return read_dump(file)


@pytest.mark.parametrize(
    ("matchers", "pods"),
    [
        ('namespace="shop"', ["a"]),
        ('namespace!="shop"', ["b c"]),
        ('namespace=~"sh.*|x"', ["a"]),
        ('pod!~"b"', ["a", "b c"]),
        ('container="",pod=~"[ab].*"', ["a", "b c"]),
        ('container!=""', []),
    ],
)
def test_matchers_choose_as_in_promql(dump: Dump, matchers: str, pods: list[str]) -> None:
    """A regular expression matches the whole value; a label that is not there is empty."""
    found = dump.range(f"{MEMORY}{{{matchers}}}", 0, 1000)
    assert [series.labels()["pod"] for series in found] == pods


def test_samples_of_a_range_once_and_in_order(dump: Dump) -> None:
    """Written twice, read once. 110 s to 130 s, both included; by steps of 20 s the highest of each, at its end."""
    series, _ = dump.range(MEMORY + "{}", 110, 130)
    assert (series.time_ms.tolist(), series.value.tolist()) == ([110_000, 120_000, 130_000], [11, 12, 13])
    series, _ = dump.range(MEMORY + "{}", 100, 150, 20, "highest")
    assert (series.time_ms.tolist(), series.value.tolist()) == ([100_000, 120_000, 140_000], [10, 12, 14])
    assert dump.range(MEMORY + "{}", 500, 600) == []
    assert dump.span_ms == (100_000, 150_000)


def test_escapes_of_labels_are_read(dump: Dump) -> None:
    assert dump.range(MEMORY + '{namespace="web"}', 0, 1000)[0].labels()["note"] == '"}\\'


def test_what_is_no_plain_selector_is_refused(dump: Dump) -> None:
    with pytest.raises(SourceError, match="plain selectors"):
        dump.range(f"rate({MEMORY}[5m])", 0, 1000)


@pytest.mark.parametrize("line", ["what is this\n{", f"{MEMORY} 1\n", f"{MEMORY} one 100\n", "= 1 2"])
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "odd.om"
    file.write_text("# HELP x y\n" + line)
    with pytest.raises(SourceError, match=r"odd\.om line [23]"):
        read_dump(file)
