"""A made-up cluster's history as OpenMetrics, and what must be told of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.services.prometheus import PrometheusServer

T0 = 1_700_006_400
"""2023-11-15 00:00 UTC, in seconds: the start of a two-hour block."""
STEP = 60
Point = tuple[float, float]


@dataclass(frozen=True)
class Metric:
    """One series: its labels and its (second, value) points."""

    name: str
    labels: Mapping[str, str]
    points: Sequence[Point]


@dataclass
class World:
    """Series of a cluster."""

    metrics: list[Metric] = field(default_factory=list)

    def add(self, name: str, points: Sequence[Point], **labels: str) -> None:
        self.metrics.append(Metric(name, labels, points))

    def text(self, **labels: str) -> str:
        """All samples in Prometheus' text format, with times in milliseconds and these labels more."""
        return "".join(
            f"{metric.name}{{{_text({**metric.labels, **labels})}}} {value!r} {round(time * 1000)}\n"
            for metric in self.metrics
            for time, value in metric.points
        )

    def write_into(self, server: PrometheusServer, folder: Path) -> None:
        """Fill a stopped server's database: a file per two hours, as promtool reads a file once per block in it."""
        blocks: dict[int, dict[str, list[str]]] = {}
        for metric in self.metrics:
            text = _text(metric.labels)
            for time, value in metric.points:
                block = blocks.setdefault(int(time // 7200), {})
                block.setdefault(metric.name, []).append(f"{metric.name}{{{text}}} {value!r} {time:.3f}\n")
        for number, families in blocks.items():
            file = folder / f"{number}.om"
            file.write_text("".join(_families(families)) + "# EOF\n")
            server.fill(file)


def _text(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in labels.items())


def _families(families: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for name, lines in sorted(families.items()):
        yield f"# TYPE {name} unknown\n"
        yield from lines


@dataclass(frozen=True)
class Container:
    """A container whose use is known to the last bit of a float."""

    namespace: str
    pod: str
    name: str
    node: str = "node-1"

    @property
    def uid(self) -> str:
        return f"{random.Random(self.pod).getrandbits(32):08x}-0000-4000-8000-000000000000"

    @property
    def container_id(self) -> str:
        return f"{random.Random(self.pod + self.name).getrandbits(256):064x}"

    @property
    def instance(self) -> str:
        """As the host source says it."""
        return f"{self.uid}/{self.container_id[:12]}"

    @property
    def labels(self) -> dict[str, str]:
        return {
            "namespace": self.namespace,
            "pod": self.pod,
            "container": self.name,
            "node": self.node,
            "instance": "10.0.0.1:10250",
            "job": "kubelet",
            "id": f"/kubepods/burstable/pod{self.uid}/{self.container_id}",
        }

    def add_to(self, world: World, times: Sequence[float], cores: Sequence[float], memory: Sequence[float]) -> None:
        """Its counter and its working set at these times; cores[i] was used since the time before."""
        total, points = 1000.0, []
        for i, (time, use) in enumerate(zip(times, cores, strict=True)):
            total += use * (time - times[i - 1]) if i else 0.0
            points.append((time, total))
        world.add("container_cpu_usage_seconds_total", points, cpu="total", **self.labels)
        world.add("container_memory_working_set_bytes", list(zip(times, memory, strict=True)), **self.labels)


def minutes(hours: float, begin: float = T0) -> list[float]:
    """Scrapes a minute apart, in (begin, begin + hours]."""
    return [begin + STEP * (i + 1) for i in range(round(hours * 60))]
