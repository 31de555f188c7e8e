"""A cluster's cAdvisor series as Prometheus pushes them: bodies of both versions, made ahead of the measurement."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

import cramjam

from collector.listen.protos import Request2, Series1, Series2

STEP_MS = 15_000
SAMPLES_PER_REQUEST = 2_000
"""Prometheus' default max_samples_per_send."""
SHAPE = (
    "10 cAdvisor series a container, each a signal, with the 15 labels and 700 bytes that Kubernetes gives them; one "
    "sample a series and 2,000 a request, as Prometheus sends by default. Every sample becomes part of a row."
)
_COUNTERS = {
    "container_cpu_usage_seconds_total": 7.5,
    "container_cpu_cfs_throttled_periods_total": 3.0,
    "container_cpu_cfs_periods_total": 150.0,
    "container_pressure_cpu_waiting_seconds_total": 0.0,
    "container_pressure_memory_waiting_seconds_total": 0.0,
    "container_pressure_io_waiting_seconds_total": 0.05,
    "container_fs_reads_bytes_total": 4096.0,
    "container_fs_writes_bytes_total": 81920.0,
}
"""Growth in one step."""
_LEVELS = {"container_memory_working_set_bytes": 2.5e8, "container_memory_rss": 2.0e8}
METRICS = (*_COUNTERS, *_LEVELS)
_SAMPLE = 0x12


class Cluster:
    """Containers that are scraped every 15 s from `start_ms` on, pushed by one version of the protocol."""

    def __init__(self, containers: int, version: int, start_ms: int) -> None:
        self.containers, self._version, self._start_ms = containers, version, start_ms
        labels = [_labels(i, metric) for i in range(containers) for metric in METRICS]
        parts = [labels[at : at + SAMPLES_PER_REQUEST] for at in range(0, len(labels), SAMPLES_PER_REQUEST)]
        self._requests = [_encoded_1(part) if version == 1 else _encoded_2(part) for part in parts]

    @property
    def samples_per_scrape(self) -> int:
        return self.containers * len(METRICS)

    def bodies(self, scrape: int) -> list[bytes]:
        """One scrape as packed requests."""
        made = []
        for number, (head, series) in enumerate(self._requests):
            first = number * SAMPLES_PER_REQUEST
            samples = (self._sample(first + i, scrape) for i in range(len(series)))
            made.append(bytes(cramjam.snappy.compress_raw(head + _series(self._version, series, samples))))
        return made

    def _sample(self, number: int, scrape: int) -> bytes:
        container, metric = divmod(number, len(METRICS))
        grown = _COUNTERS.get(METRICS[metric])
        level = _LEVELS.get(METRICS[metric], 0.0) + 4096.0 * ((container + scrape) % 97)
        return _field(level if grown is None else grown * scrape, self._start_ms + scrape * STEP_MS)


def _encoded_1(part: list[dict[str, str]]) -> tuple[bytes, list[bytes]]:
    """What comes before the series, and their labels."""
    return b"", [Series1(labels=_pairs(labels)).SerializeToString() for labels in part]


def _encoded_2(part: list[dict[str, str]]) -> tuple[bytes, list[bytes]]:
    symbols: dict[str, int] = {"": 0}
    series = []
    for labels in part:
        refs = [symbols.setdefault(text, len(symbols)) for name in labels for text in (name, labels[name])]
        series.append(Series2(labels_refs=refs).SerializeToString())
    return Request2(symbols=list(symbols)).SerializeToString(), series


def _series(version: int, labels: list[bytes], samples: Iterator[bytes]) -> bytes:
    """2.0 has metadata behind each sample: here that it is a counter."""
    tag, tail = (b"\x0a", b"") if version == 1 else (b"\x2a", b"\x2a\x02\x08\x01")
    made = (one + sample + tail for one, sample in zip(labels, samples, strict=True))
    return b"".join(part for one in made for part in (tag, _varint(len(one)), one))


def _labels(i: int, metric: str) -> dict[str, str]:
    pod, container = _hex(f"pod {i}"), _hex(f"container {i}") * 2
    app, team = i % 40, i % 17
    return {
        "__name__": metric,
        "container": f"app-{app}",
        "endpoint": "https-metrics",
        "id": f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{pod}.slice/cri-containerd-{container}.scope",
        "image": f"registry.example.com/team-{team}/app-{app}@sha256:{_hex(f'image {app}') * 2}",
        "instance": f"10.0.{i // 7500}.{i // 30 % 250}:10250",
        "job": "kubelet",
        "metrics_path": "/metrics/cadvisor",
        "name": container,
        "namespace": f"team-{team}",
        "node": f"node-{i // 30:04d}",
        "pod": f"app-{app}-7c9f5d8b6c-{pod[:8]}",
        "prometheus": "monitoring/k8s",
        "prometheus_replica": "prometheus-k8s-0",
        "service": "kubelet",
    }


def _hex(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _pairs(labels: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in labels.items()]


def _field(value: float, time_ms: int) -> bytes:
    """A sample field; a value of 0 is left out, as protobuf does."""
    body = (b"\x09" + struct.pack("<d", value) if value else b"") + b"\x10" + _varint(time_ms)
    return bytes((_SAMPLE, len(body))) + body


def _varint(number: int) -> bytes:
    return bytes(_digits(number))


def _digits(number: int) -> Iterator[int]:
    while number >= 0x80:
        yield number & 0x7F | 0x80
        number >>= 7
    yield number
