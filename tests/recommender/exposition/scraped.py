"""An exposition as Prometheus reads it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families  # noqa: TID251 - the reader of what we write

Series = dict[frozenset[tuple[str, str]], float]


def scraped(text: bytes) -> dict[str, Series]:
    """By metric name, the value of each label set. Raises ValueError for a series that comes twice."""
    found: dict[str, Series] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            series = found.setdefault(sample.name, {})
            key = frozenset(sample.labels.items())
            if key in series:
                raise ValueError(f"{sample.name}{dict(key)} comes twice")
            series[key] = sample.value
    return found


def value(found: dict[str, Series], name: str, **labels: str) -> float | None:
    """Of the one series of this name with these labels among its own; None: there is none."""
    hits = [number for key, number in found.get(name, {}).items() if frozenset(labels.items()) <= key]
    assert len(hits) <= 1, f"{name} has {len(hits)} series with {labels}"
    return hits[0] if hits else None
