"""Series that replicas of one Prometheus brought side by side."""

from __future__ import annotations

import msgspec
import numpy as np

from collector.prometheus.answer import Series
from collector.prometheus.replicas import Replicas


def series(samples: int, **labels: str) -> Series:
    key = msgspec.json.encode(labels)
    return Series(key, msgspec.json.Decoder(dict[str, str]).decode, np.arange(samples), np.zeros(samples))


def test_of_each_thing_the_replica_that_saw_most_is_kept() -> None:
    """Of equals the first by name, in whatever order they come; what no replica brought stays as it is."""
    short, long = series(2, disk="a", replica="0"), series(3, replica="1", disk="a")
    first, second = series(5, disk="b", replica="0"), series(5, disk="b", replica="1")
    alone, named = series(1, disk="c"), series(1, disk="d", __replica__="x")
    found = Replicas().one_of_each([short, second, long, alone, first, named])
    assert sorted(one.labels()["disk"] for one in found) == ["a", "b", "c", "d"]
    assert {id(one) for one in found} == {id(one) for one in (long, first, alone, named)}
