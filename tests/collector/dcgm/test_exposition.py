"""The text format: read as prometheus_client reads it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families  # noqa: TID251  # the judge of our parser

from collector.dcgm.exposition import ExpositionError, Sample, samples

NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,12}", fullmatch=True)
TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\x85\u2028\u2029"), max_size=12)
VALUES = st.one_of(st.floats(allow_nan=False), st.integers(-(2**53), 2**53).map(float))
SAMPLES = st.builds(
    Sample,
    NAMES.map("m_{}".format),
    st.dictionaries(
        NAMES, TEXTS.map(lambda text: text.replace("t", "\n").replace("q", '"').replace("b", "\\")), max_size=4
    ),
    VALUES,
    st.none() | st.integers(0, 2**42),
)


def written(sample: Sample) -> str:
    """As client libraries write a sample."""
    pairs = [
        f'{name}="{value.translate({92: chr(92) * 2, 10: chr(92) + "n", 34: chr(92) + chr(34)})}"'
        for name, value in sample.labels.items()
    ]
    time = "" if sample.time_ms is None else f" {sample.time_ms}"
    value = {math.inf: "+Inf", -math.inf: "-Inf"}.get(sample.value, repr(sample.value))
    return f"{sample.name}{'{' + ','.join(pairs) + '}' if pairs else ''} {value}{time}"


@given(st.lists(SAMPLES, max_size=5))
def test_what_was_written_is_read_as_it_was(given_samples: list[Sample]) -> None:
    """Names, labels with every escape, values and times come back."""
    text = "# HELP x y\n" + "".join(written(sample) + "\n" for sample in given_samples)
    assert list(samples(text)) == given_samples


@given(st.lists(SAMPLES, min_size=1, max_size=5))
def test_it_reads_what_the_reference_parser_reads(given_samples: list[Sample]) -> None:
    """prometheus_client's parser, which knows the format best, sees the same samples."""
    text = "".join(written(sample) + "\n" for sample in given_samples)
    theirs = [
        (sample.name, sample.labels, sample.value, sample.timestamp)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    ours = [(s.name, s.labels, s.value, None if s.time_ms is None else s.time_ms / 1000) for s in samples(text)]
    assert sorted(map(repr, ours)) == sorted(map(repr, theirs))


@pytest.mark.parametrize(
    "line",
    ["m", "m{", 'm{a="b} 1', "m 1 2 3", "m one", "m{a=b} 1", "{} 1", "<html>", 'm{a="b"} 1 soon'],
)
def test_a_line_that_is_no_sample_is_named(line: str) -> None:
    """Not skipped: half a page of an error would read as half a GPU."""
    with pytest.raises(ExpositionError, match="line 2"):
        list(samples(f"good 1\n{line}\n"))


@pytest.mark.parametrize(
    "line", ['m{a="b",} 1', 'm { a = "b" , c="d" } 1', "  m 1  ", "m\t1", "m{} 1", 'm{a="}"} 1', 'm{a="x,y=\\"z"} 1']
)
def test_it_is_as_lenient_as_the_reference(line: str) -> None:
    """Spaces, a comma at the end, and braces inside a value."""
    (theirs,) = [sample for family in text_string_to_metric_families(line + "\n") for sample in family.samples]
    (ours,) = samples(line)
    assert (ours.name, ours.labels, ours.value) == (theirs.name, theirs.labels, theirs.value)
