"""Remote read: what the same server answers in JSON and in chunks is the same, and damage is named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from crc32c import crc32c

from collector.prometheus.client import PrometheusClient
from collector.prometheus.queries import Newest
from collector.prometheus.remote_read import CorruptAnswerError, series_in
from collector.prometheus.sample_table import Keep
from collector.prometheus.selector import Matcher, matchers_of
from collector.prometheus.settings import ServerSettings
from tests.collector.prometheus.chunk_writer import chunk_of
from tests.collector.prometheus.conftest import Serve
from tests.collector.prometheus.world import T0, World, minutes

Read = dict[str, tuple[list[int], list[float]]]


def two_worlds() -> World:
    """A gauge that ends, one that changes at the fifth hour, and one over a block's end with uneven times."""
    world, times = World(), minutes(9)
    world.add("load", [(time, i % 7 / 3) for i, time in enumerate(times[:200])], app="ended")
    world.add("load", [(time, 1.0 if i < 300 else 2.0) for i, time in enumerate(times)], app="changed")
    world.add("load", [(time + i % 3 / 1000, i * 1.1) for i, time in enumerate(times)], app="uneven", job="a b")
    return world


def read(series: Sequence[object]) -> Read:
    return {one.labels()["app"]: (one.time_ms.tolist(), one.value.tolist()) for one in series}  # type: ignore[attr-defined]


@pytest.mark.parametrize("step_s", [0.0, 300.0])
@pytest.mark.parametrize("keep", ["newest", "highest", "lowest"])
def test_chunks_and_json_say_the_same(serve: Serve, step_s: float, keep: Keep) -> None:
    """All samples of six hours, and one for each five minutes; both ends count."""
    url = serve(two_worlds()).url
    both = []
    for remote_read in (True, False):
        client = PrometheusClient(ServerSettings(url, remote_read=remote_read))
        found = client.range('load{app!="",job!="x"}', T0 + 1800, T0 + 23_400, step_s, keep)
        assert client.chunked == remote_read
        both.append(read(found))
        client.close()
    assert both[0] == both[1]
    assert both[0].keys() == {"ended", "changed", "uneven"}
    assert len(both[0]["changed"][0]) == (73 if step_s else 361)


def test_of_what_seldom_changes_the_change_is_seen(serve: Serve) -> None:
    """The newest value, and the one before the change."""
    client = PrometheusClient(ServerSettings(serve(two_worlds()).url))
    wanted = Newest('load{app="changed"}', ("app",))
    (outline,) = client.newest(wanted, T0, T0 + 9 * 3600)
    assert outline.number() == 2.0
    assert (np.diff(outline.time_ms) > 0).all()
    assert len(outline.time_ms) < 540
    seen = dict(zip(outline.time_ms.tolist(), outline.value.tolist(), strict=True))
    assert set(seen.values()) == {1.0, 2.0}
    assert all((value == 2.0) == (time > (T0 + 300 * 60) * 1000) for time, value in seen.items())
    (named,) = client.labels(wanted, T0, T0 + 9 * 3600)
    assert named.labels() == {"__name__": "load", "app": "changed"}
    client.close()


@pytest.mark.parametrize(
    ("selector", "matchers"),
    [
        ("up", None),
        ("up{}", (("__name__", 0, "up"),)),
        ('up{a="b",c!~"d|e",}', (("__name__", 0, "up"), ("a", 0, "b"), ("c", 3, "d|e"))),
        ("{a=~\"\\\\d+\", b!='x,y}'}", (("a", 2, "\\d+"), ("b", 1, "x,y}"))),
        ("up{a=`\\d`}", (("__name__", 0, "up"), ("a", 0, "\\d"))),
        ('rate(up{a="b"}[5m])', None),
        ('up{a="b" or c="d"}', None),
        ('up{a="b}', None),
        ('up{a="b" c="d"}', None),
    ],
)
def test_selectors_are_read_or_left_to_the_server(
    selector: str, matchers: tuple[tuple[str, int, str], ...] | None
) -> None:
    """What is more than a selector is asked for in PromQL."""
    expected = None if matchers is None else tuple(Matcher(kind, name, value) for name, kind, value in matchers)
    assert matchers_of(selector) == expected


@pytest.mark.parametrize("body", [b"\x05", b"\xff\xff\xff\xff\xff\xff", b"\x02\x00\x00\x00\x00ab"])
def test_a_damaged_answer_is_refused(body: bytes) -> None:
    """Cut short, without an end to its size, with a wrong checksum."""
    with pytest.raises(CorruptAnswerError):
        series_in(body, (0, 1))


def held(tag: int, data: bytes) -> bytes:
    """A field of under 128 bytes, as protobuf writes it."""
    return bytes([tag, len(data)]) + data


def answer(*series: tuple[str, list[bytes]]) -> bytes:
    """A frame with series of one label each and their Chunk messages."""
    listed = [
        held(0x0A, held(0x0A, b"app") + held(0x12, app.encode())) + b"".join(held(0x12, one) for one in chunks)
        for app, chunks in series
    ]
    frame = b"".join(held(0x0A, one) for one in listed)
    return bytes([len(frame)]) + crc32c(frame).to_bytes(4, "big") + frame


XOR, HISTOGRAM = b"\x08\x01\x10\x02\x18\x01", b"\x18\x02"


def test_native_histograms_are_left_out() -> None:
    """A series that has only one is none; beside samples they count not."""
    samples = XOR + held(0x22, chunk_of([(5, 1.0), (6, 2.0)]))
    other = HISTOGRAM + held(0x22, b"?")
    found = series_in(answer(("a", [other]), ("b", [other, samples])), (0, 10))
    assert read(found) == {"b": ([5, 6], [1.0, 2.0])}


@pytest.mark.parametrize("chunk", [XOR + b"\x22\x7f", XOR[:-1], b"\x08" + b"\xff" * 12])
def test_a_damaged_chunk_message_is_refused(chunk: bytes) -> None:
    """Longer than its answer, cut short, a number without an end."""
    with pytest.raises(CorruptAnswerError):
        series_in(answer(("a", [chunk])), (0, 10))
