"""Queries over the catalogue: the labels that a metric has decide its filters, and how replicas are told apart."""

from __future__ import annotations

from models.fleet_metrics import FLEET_CATALOGUE, WORKLOAD_LABELS
from models.metrics import CATALOGUE

FILTERED = ("cluster", "namespace", "workload")
"""Labels that have a variable of the same name."""
ON_WORKLOAD = f"on ({', '.join(WORKLOAD_LABELS)})"
PROCESS_METRICS = ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds")
"""Of prometheus_client itself; every role serves them."""


def fleet(name: str, **wanted: str) -> str:
    """Series of the fleet, once each however many `sizewise serve` tell them. wanted: more labels with their value;
    the value may begin with another operator: `=~`, `!=`, `!~`."""
    labels = FLEET_CATALOGUE[name].labels
    filters = [f'{label}=~"${label}"' for label in FILTERED if label in labels and label not in wanted]
    chosen = _selector(name, labels, wanted, ['job=~"$job"', *filters])
    return f"max by ({', '.join(labels)}) ({chosen})" if labels else f"max({chosen})"


def increase(name: str, **wanted: str) -> str:
    """Of a counter of the fleet, once however many tell it: each counts from when it began to look."""
    labels = FLEET_CATALOGUE[name].labels
    chosen = fleet(name, **wanted).removeprefix(f"max by ({', '.join(labels)}) (").removesuffix(")")
    return f"max by ({', '.join(labels)}) (increase({chosen}[$__rate_interval]))"


def own(name: str, **wanted: str) -> str:
    """Series of sizewise's own processes."""
    labels = () if name in PROCESS_METRICS else CATALOGUE[name.removesuffix("_bucket")].labels
    return _selector(name, labels, wanted, ['job=~"$job"', 'instance=~"$instance"'])


def rate(name: str, **wanted: str) -> str:
    """Per second, of a counter or of a histogram's series of a process."""
    return f"rate({own(name, **wanted)}[$__rate_interval])"


def quantile(share: float, histogram: str, *by: str) -> str:
    return f"histogram_quantile({share}, sum by ({', '.join((*by, 'le'))}) ({rate(histogram + '_bucket')}))"


def with_labels(values: str, info: str, *labels: str, on: str = ON_WORKLOAD) -> str:
    """`values` with labels of an _info metric added; of several (two replicas, one a moment behind) one is taken."""
    return f"{values} * {on} group_left ({', '.join(labels)}) topk by {on.removeprefix('on ')} (1, {info})"


def _selector(name: str, labels: tuple[str, ...], wanted: dict[str, str], matchers: list[str]) -> str:
    for label, value in wanted.items():
        if label not in labels:
            raise KeyError(f"{name} has no label {label!r}; it has {', '.join(labels)}")
        mark = next((mark for mark in ("!~", "=~", "!=") if value.startswith(mark)), "")
        matchers = [*matchers, f'{label}{mark or "="}"{value.removeprefix(mark)}"']
    return f"{name}{{{', '.join(matchers)}}}"
