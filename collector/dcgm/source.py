"""The source: one scrape at a time, one row per GPU or MIG instance and who has it."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from collector.dcgm.exposition import ExpositionError, Sample, samples
from collector.dcgm.settings import DcgmSettings
from collector.host.whose import Instance
from collector.names.table import DCGM, by_name
from collector.names.values import bounded, in_our_unit
from collector.names.who import GpuUse, gpu_use, machine_use
from collector.source import Moment, Reading, SourceError
from models.inventory import Allocation, Coverage, Gpu, Node
from models.metrics import Meter
from models.signals import GPU_SIGNALS
from models.telemetry import KEY_COLUMNS, TelemetryBatch
from models.workload import WorkloadName

_MAX_BYTES = 16 << 20
"""An exporter of 8 GPUs in 56 MIG instances shows 0.6 MB; more than this is something else."""
_MEANINGS = by_name(DCGM)
_FIELDS = {foreign.signal: foreign for foreign in reversed(DCGM)}
"""The first of each signal: the one that every DCGM has."""

SHARERS = "gpu_sharers"

Signals = dict[str, float]


class Containers(Protocol):
    """The part of `collector.host.whose.Whose` that is asked."""

    def container(self, namespace: str, pod: str, container: str) -> Instance | None: ...


@dataclass(slots=True)
class Scrape:
    """What one scrape says: signals by GPU and user, and how many values had to be clamped."""

    gpus: dict[GpuUse, Signals] = field(default_factory=dict)
    clamped: int = 0


class DcgmSource:
    """Reads one exporter. It renews its values every 30 s by default, so it is asked at `settings.interval_s`."""

    name = "dcgm"

    def __init__(
        self, settings: DcgmSettings, cluster: str, node: str, meter: Meter, whose: Containers | None = None
    ) -> None:
        """cluster, node: the first part of workload ids, and whose inventory the GPUs belong to. whose: how this machine names
        the containers that it runs; it is read before this source."""
        self._settings, self._meter, self._whose = settings, meter, whose
        self._cluster, self._node = cluster or node, node
        self._read_ms: int | None = None

    def read(self, now: Moment) -> Reading:
        """Rows since the scrape before; nothing while it is not due. Raises SourceError."""
        interval_ms = round(self._settings.interval_s * 1000)
        if self._read_ms is not None and now.steady_ms - self._read_ms < interval_ms:
            return Reading()
        scrape = scraped(samples_of(self._fetch(), self._settings.url), self._cluster)
        scrape.gpus = {self._named(use): signals for use, signals in scrape.gpus.items()}
        if scrape.clamped:
            self._meter.count("sizewise_collector_clamped_values_total", scrape.clamped, source=self.name)
        since_ms = interval_ms if self._read_ms is None else now.steady_ms - self._read_ms
        self._read_ms = now.steady_ms
        span_ms = min(since_ms, 2 * interval_ms)  # after a failure only the newest state is known
        return Reading([_batch(scrape, now.wall_ms, span_ms)], (), self._inventory(scrape, now))

    def state(self) -> bytes:
        """Nothing: an exporter shows levels, no counters."""
        return b""

    def restore(self, state: bytes, now: Moment) -> None:
        return None

    def close(self) -> None:
        return None

    def _named(self, use: GpuUse) -> GpuUse:
        """As the host names the container, so that its CPU and its GPU are of one instance."""
        pod, _, container = use.instance.partition("/")
        namespace = WorkloadName.parse(use.workload).namespace
        found = self._whose.container(namespace, pod, container) if self._whose and container else None
        return replace(use, workload=found.workload, instance=found.instance) if found else use

    def _fetch(self) -> str:
        url = self._settings.url
        request = urllib.request.Request(url, headers={"Accept": "text/plain;version=0.0.4"})  # noqa: S310  # the settings accept http and https only
        try:
            with urllib.request.urlopen(request, timeout=self._settings.timeout_s) as answer:  # noqa: S310  # as above
                body: bytes = answer.read(_MAX_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # it holds the connection
            raise SourceError(
                f"dcgm-exporter at {url}: {error}; is it running, and collector.dcgm.url right?"
            ) from error
        if len(body) > _MAX_BYTES:
            raise SourceError(
                f"dcgm-exporter at {url} answers over {_MAX_BYTES} bytes; does the url end with /metrics?"
            )
        return body.decode("utf-8", "replace")

    def _inventory(self, scrape: Scrape, now: Moment) -> Node:
        gpus: dict[str, Gpu] = {}
        for use, signals in scrape.gpus.items():
            gpu = _gpu(use, signals)
            known = gpus.setdefault(gpu.uuid, gpu)
            gpus[gpu.uuid] = replace(
                known,
                memory_bytes=max(known.memory_bytes, gpu.memory_bytes),
                mig_enabled=known.mig_enabled or gpu.mig_enabled,
            )
        seen = {signal for signals in scrape.gpus.values() for signal in signals}
        coverage = tuple(_coverage(signal.name, signal.name in seen, bool(scrape.gpus)) for signal in GPU_SIGNALS)
        return Node(
            self._cluster,
            self._node,
            now.wall_ms,
            gpus=tuple(gpus.values()),
            allocations=tuple(_allocations(scrape.gpus)),
            coverage=coverage,
        )


def samples_of(text: str, url: str) -> list[Sample]:
    """Raises SourceError when the text is no exposition."""
    try:
        return list(samples(text))
    except ExpositionError as error:
        raise SourceError(f"{url} shows no Prometheus metrics: {error}") from error


def scraped(found: Iterable[Sample], cluster: str) -> Scrape:
    """Samples by GPU and user, in our units. Blank values are left out, ratios above 1 are clamped and counted."""
    scrape, hosts = Scrape(), dict[GpuUse, GpuUse]()
    for sample in found:
        foreign = next((known for known in _MEANINGS.get(sample.name, ()) if known.accepts(sample.labels)), None)
        use = gpu_use(sample.labels, cluster) if foreign else None
        if foreign is None or use is None:
            continue
        value = in_our_unit(foreign, sample.value)
        if value is not None:
            value, over = bounded(foreign, value)
            scrape.clamped += over
        if value is not None:
            scrape.gpus.setdefault(use, {}).setdefault(foreign.signal, value)
            hosts[use] = machine_use(use, sample.labels, cluster)
    scrape.gpus = _parted(scrape.gpus, hosts)
    return scrape


def _parted(gpus: Mapping[GpuUse, Signals], hosts: Mapping[GpuUse, GpuUse]) -> dict[GpuUse, Signals]:
    """A GPU that several share (time slicing, MPS, Slurm's shards) is shown once for each of them, with the device's own
    numbers. Those go to the machine; each keeps what differs from the others', which the exporter split by process."""
    of_device: dict[GpuUse, list[GpuUse]] = {}
    for use in gpus:
        of_device.setdefault(hosts[use], []).append(use)
    found: dict[GpuUse, Signals] = {}
    for machine, uses in of_device.items():
        rows = {use: gpus[use] for use in uses}
        found |= rows if len(rows.keys() - {machine}) < 2 else _shared(machine, rows)
    return found


def _shared(machine: GpuUse, rows: dict[GpuUse, Signals]) -> dict[GpuUse, Signals]:
    """The machine's row first, then one of each user."""
    of_device = rows.pop(machine, {})
    told: dict[str, set[float]] = {}
    for signals in rows.values():
        for name, value in signals.items():
            told.setdefault(name, set()).add(value)
    alike = {name: min(values) for name, values in told.items() if len(values) == 1}
    sharers = {SHARERS: float(len(rows))}
    return {machine: alike | of_device | sharers} | {
        use: {name: value for name, value in signals.items() if name not in alike} | sharers
        for use, signals in rows.items()
    }


def _batch(scrape: Scrape, time_ms: int, interval_ms: int) -> TelemetryBatch:
    n = len(scrape.gpus)
    keys = zip(*(use.keys for use in scrape.gpus), strict=True)
    names = [signal.name for signal in GPU_SIGNALS if any(signal.name in one for one in scrape.gpus.values())]
    return TelemetryBatch(
        "gpu",
        dict(zip(KEY_COLUMNS["gpu"], keys, strict=True)) if n else dict.fromkeys(KEY_COLUMNS["gpu"], ()),
        [time_ms] * n,
        [interval_ms] * n,
        {name: [signals.get(name) for signals in scrape.gpus.values()] for name in names},
    )


def _allocations(uses: Iterable[GpuUse]) -> Iterator[Allocation]:
    """Who holds which GPUs. A share is not told: a GPU that is time-sliced is taken whole."""
    held: dict[tuple[str, str], list[str]] = {}
    for use in uses:
        if WorkloadName.parse(use.workload).kind != "machine":
            held.setdefault((use.workload, use.instance), []).append(use.gpu_uuid)
    for (workload, instance), uuids in held.items():
        yield Allocation(workload, instance, gpu_uuids=tuple(uuids))


def _gpu(use: GpuUse, signals: Mapping[str, float]) -> Gpu:
    whole = not use.mig_profile
    memory = round(signals.get("framebuffer_total_bytes", 0.0)) if whole else 0
    return Gpu(use.gpu_uuid.partition("/")[0], use.gpu_model, memory, mig_enabled=not whole)


def _coverage(signal: str, seen: bool, any_gpu: bool) -> Coverage:
    if seen:
        return Coverage("dcgm", signal, True)
    if not any_gpu:
        return Coverage("dcgm", signal, False, "dcgm-exporter shows no GPU; does it run on a node that has one?")
    if signal not in _FIELDS:
        return Coverage("dcgm", signal, False, "DCGM has no such field; the NVML source may see it")
    foreign = _FIELDS[signal]
    what = f"dcgm-exporter shows no {foreign.names[-1]} (field {foreign.field})"
    return Coverage("dcgm", signal, False, f"{what}; give it deploy/dcgm/counters.csv, or this GPU has no such counter")
