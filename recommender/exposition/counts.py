"""How many workloads there are of each kind, over all, and which signals nobody sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from models.bottleneck import CLASSES, EVIDENCE
from models.columns import Array
from models.inventory import Node
from models.profile import RESOURCES
from models.reasons import Action
from models.signals import CPU_SIGNALS
from recommender.exposition.bottlenecks import named, whole
from recommender.exposition.namespaces import Namespaces
from recommender.exposition.stake import joined
from recommender.exposition.text import Exposition, Labels
from recommender.view import Snapshot
from recommender.view_query import action_code

CoverageKey = tuple[str, str, str]


def coverage_of(node: Node) -> Counter[CoverageKey]:
    """Source, signal and whether it is seen, once per node."""
    return Counter({(c.source, c.signal, "true" if c.seen else "false") for c in node.coverage})


def coverage(nodes: Iterable[Mapping[CoverageKey, int]], out: Exposition) -> None:
    total: Counter[CoverageKey] = Counter()
    for node in nodes:
        total.update(node)
    keys = sorted(total)
    columns = {label: [key[n] for key in keys] for n, label in enumerate(("source", "signal", "seen"))}
    out.add("sizewise_coverage_nodes", Labels.of(columns), np.array([total[key] for key in keys], dtype=np.float64))


def missing_signals(snapshot: Snapshot, out: Exposition) -> None:
    """Of which CPU signals and which numbers of GPU evidence there is none, by the number of workloads."""
    seen = joined(snapshot, "signal_count")[snapshot.columns["last_seen_ms"] > 0]
    names = Labels.of({"signal": [signal.name for signal in CPU_SIGNALS]})
    out.add("sizewise_workloads_without_signal", names, (seen == 0).sum(axis=0).astype(np.float64))
    has_gpu = snapshot.columns["gpu_last_seen_ms"] > 0
    lacking = np.isnan(joined(snapshot, "gpu_evidence")[has_gpu]).sum(axis=0)
    evidence = Labels.of({"evidence": [each.name for each in EVIDENCE]})
    out.add("sizewise_gpu_workloads_without_evidence", evidence, lacking.astype(np.float64))
    counted = int((joined(snapshot, "gpu_counter_seconds")[has_gpu] > 0).sum())
    numbers = np.array([counted, int(has_gpu.sum()) - counted], dtype=np.float64)
    out.add("sizewise_gpu_workloads", Labels.of({"counters": ["true", "false"]}), numbers)


def workload_counts(snapshot: Snapshot, out: Exposition) -> None:
    """Workloads by action and by class, per cluster."""
    clusters = snapshot.names["cluster"].combine_chunks().dictionary_encode()
    code = clusters.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    names = clusters.dictionary.to_pylist()
    for resource, name in enumerate(RESOURCES):
        action = snapshot.columns["action"][:, resource].astype(np.int64)
        count = np.bincount(code * len(Action) + action, minlength=len(names) * len(Action)).astype(np.float64)
        pairs = [(cluster, action_code(int(one))) for cluster in names for one in Action]  # 0 too: alerts need it
        labels = Labels.of({"cluster": [cluster for cluster, _ in pairs]}).plus(resource=name)
        out.add("sizewise_workloads", labels.with_columns(action=[one for _, one in pairs]), count)
    has_gpu, has_cpu = snapshot.columns["gpu_last_seen_ms"] > 0, snapshot.columns["last_seen_ms"] > 0
    cpu, gpu = joined(snapshot, "cpu_bottleneck"), joined(snapshot, "gpu_bottleneck")
    sides = {"cpu": (cpu, has_cpu), "gpu": (gpu, has_gpu), "all": (whole(cpu, gpu, has_gpu), has_cpu | has_gpu)}
    for device, (found, seen) in sides.items():
        place, kind, count = _table(code[seen], found[seen].astype(np.int64), len(names), CLASSES)
        labels = Labels.of({"cluster": [names[n] for n in place]}).plus(device=device)
        out.add("sizewise_workloads_limited", named(labels, kind), count)


def not_exported(spaces: Namespaces, told: Array, limit: int, out: Exposition) -> None:
    """Workloads of each namespace that stand in its totals alone; namespaces of which all are told have 0."""
    left = np.ones(len(spaces.code))
    left[told] = 0
    out.add("sizewise_workloads_not_exported", spaces.labels(limit), spaces.sum(left)[:limit])


def _table(rows: Array, columns: Array, height: int, width: int) -> tuple[Array, Array, Array]:
    """Pairs that occur: row, column, and how often."""
    counts = np.bincount(rows * width + columns, minlength=height * width).reshape(height, width)
    place, kind = np.nonzero(counts)
    return place, kind, counts[place, kind].astype(np.float64)
