"""Which queries a span of time takes: one per metric that is there and shard of namespaces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from collector.names.foreign import Foreign, System
from collector.names.table import CADVISOR, DCGM, NODE_EXPORTER
from collector.prometheus.sample_table import Keep
from collector.prometheus.selector import braced
from collector.prometheus.settings import ImportSettings

OWNERS = ("kube_pod_owner", "kube_replicaset_owner", "kube_job_owner")
SIZES = ("kube_pod_container_resource_requests", "kube_pod_container_resource_limits")
OLD_SIZES = tuple(f"{name}_{resource}" for name in SIZES for resource in ("cpu_cores", "memory_bytes"))
AUTOSCALERS = ("kube_horizontalpodautoscaler_info", "kube_horizontalpodautoscaler_spec_target_metric")
OOM_REASON = "kube_pod_container_status_last_terminated_reason"
RESTARTS = "kube_pod_container_status_restarts_total"
_TABLES: tuple[tuple[Foreign, ...], ...] = (CADVISOR, DCGM, NODE_EXPORTER)
_NO_SANDBOX = 'container!="POD",container_name!="POD"'
_WHERE = ("namespace", "exported_namespace", "pod", "exported_pod", "cluster")
_BY = {
    "kube_pod_owner": ("owner_kind", "owner_name", *_WHERE),
    "kube_replicaset_owner": ("owner_kind", "owner_name", "replicaset", *_WHERE),
    "kube_job_owner": ("owner_kind", "owner_name", "job_name", "exported_job", *_WHERE),
}
_BY_AUTOSCALER = ("horizontalpodautoscaler", "namespace", "exported_namespace", "cluster")
_BY |= {
    AUTOSCALERS[0]: ("scaletargetref_kind", "scaletargetref_name", *_BY_AUTOSCALER),
    AUTOSCALERS[1]: ("metric_name", "metric_target_type", *_BY_AUTOSCALER),
}
_LONGEST_NAMES = 8192
_BY_SIZE = ("container", "exported_container", "resource", *_WHERE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Samples of one metric. `keep`: which of a step, where samples are thinned out; None: all of them even so."""

    metric: str
    system: System
    selector: str
    keep: Keep | None


@dataclass(frozen=True, slots=True)
class Newest:
    """Series of which the newest value is wanted, and the labels that are."""

    selector: str
    by: tuple[str, ...]


def wanted(names: Iterable[str], settings: ImportSettings, shards: Sequence[str] = ("",)) -> list[Wanted]:
    """The samples to ask for, of the metrics among `names`, the ones that most hangs on first."""
    there, found = set(names), dict[str, Wanted]()
    for foreign in (foreign for table in _TABLES for foreign in table):
        for name in (*foreign.names, foreign.over):
            if name in there:
                for shard in shards if foreign.system == "cadvisor" else ("",):
                    selector = _selector(name, foreign, settings.match, shard)
                    found.setdefault(selector, Wanted(name, foreign.system, selector, _kept(name, foreign)))
    return list(found.values())


def _kept(name: str, foreign: Foreign) -> Keep | None:
    """Growth of counters is whole between any two of their samples; of memory the peak counts, which is where the least
    is available. What a GPU did in a step no one sample tells."""
    if foreign.kind == "gpu":
        return None
    if foreign.use == "rest":
        return "lowest" if name == foreign.over else "highest"
    return "highest" if foreign.use == "level" else "newest"


def size_selector(name: str, match: str) -> Newest:
    """Requests or limits of containers."""
    return Newest(braced(name, match), _BY_SIZE)


def owner_selector(name: str, match: str) -> Newest:
    return Newest(braced(name, match), _BY[name])


def oom_selector(match: str) -> str:
    """Series of containers that ended last by an OOM kill; there are few."""
    return braced(OOM_REASON, 'reason="OOMKilled"', match)


def restarts_selector(pods: Iterable[str], match: str) -> str:
    """Of these pods; of all where their names are too many for a query: VictoriaMetrics takes one of 16 KB at most."""
    names = "|".join(sorted(pods))  # names of pods hold no character that means something in a regular expression but .
    return braced(RESTARTS, f'pod=~"{names}"' if len(names) < _LONGEST_NAMES else "", match)


def shards_of(series: dict[str, float], at_most: float) -> list[str]:
    """Matchers that split the series (their number by namespace) into parts of about `at_most` each; the last one has
    whatever namespace is not in another, so that a new one is never missed."""
    parts: list[list[str]] = []
    room = 0.0
    for namespace, count in sorted(series.items()):
        if not parts or count > room:
            parts.append([])
            room = at_most
        parts[-1].append(namespace)
        room -= count
    if len(parts) < 2:
        return [""]
    named = [f'namespace=~"{"|".join(part)}"' for part in parts[:-1]]
    others = "|".join(namespace for part in parts[:-1] for namespace in part)
    return [*named, f'namespace!~"{others}"']


def _selector(name: str, foreign: Foreign, match: str, shard: str) -> str:
    return braced(name, ",".join(_only(foreign)), _NO_SANDBOX if foreign.of == "container" else "", shard, match)


def _only(foreign: Foreign) -> Iterator[str]:
    for label, values in foreign.only.items():
        yield f'{label}=~"{"|".join(values)}"'
