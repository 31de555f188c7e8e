"""Bodies as senders make them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import cramjam

from collector.listen.protos import Request1, Request2, Series1, Series2

Labels = Mapping[str, str]
Sent = tuple[Labels, Sequence[tuple[int, float]]]
"""Labels of a series and its samples: time in ms, value."""


def body_1(series: Iterable[Sent]) -> bytes:
    """A remote-write 1.0 body, labels sorted as the specification asks."""
    made = [
        Series1(
            labels=[{"name": name, "value": labels[name]} for name in sorted(labels)],
            samples=[{"timestamp": time, "value": value} for time, value in samples],
        ).SerializeToString()
        for labels, samples in series
    ]
    return snapped(Request1(timeseries=made).SerializeToString())


def body_2(series: Iterable[Sent], metadata: bool = True) -> bytes:
    """A remote-write 2.0 body; symbols are numbered in order of appearance, the empty one first."""
    symbols = {"": 0}
    made = []
    for labels, samples in series:
        texts = [text for name in sorted(labels) for text in (name, labels[name])]
        refs = [symbols.setdefault(text, len(symbols)) for text in texts]
        rows = [{"timestamp": time, "value": value} for time, value in samples]
        tail = b"\x2a\x04\x08\x01\x18\x00" if metadata else b""
        made.append(Series2(labels_refs=refs, samples=rows).SerializeToString() + tail)
    return snapped(Request2(symbols=list(symbols), timeseries=made).SerializeToString())


def snapped(body: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(body))


def container(metric: str, pod: str = "web-7c9f5d8b6c-abcde", **more: str) -> dict[str, str]:
    """Labels of a cAdvisor series."""
    uid = f"{sum(pod.encode()):08x}-0000-4000-8000-000000000000"
    path = f"/kubepods.slice/kubepods-pod{uid.replace('-', '_')}.slice/cri-containerd-{'ab' * 32}.scope"
    return {
        "__name__": metric,
        "namespace": "shop",
        "pod": pod,
        "container": "app",
        "id": path,
        "job": "kubelet",
        "instance": "10.0.0.1:10250",
        "node": "node-1",
        **more,
    }
