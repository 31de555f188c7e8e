"""sizewise's own metrics: declared here once. Code, dashboards, alerts and docs may use no other name.

Labels are bounded: a stage, a source, a stream, a reason from a closed list. Never a workload, pod or job: what is told of
those is declared in models.fleet_metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

MetricKind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class MetricSpec:
    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


class Meter(Protocol):
    """Where a stage reports what it did. The exporter is `sizewise.metrics`; `NullMeter` serves tests."""

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter. Raises KeyError for a name that the catalogue lacks."""

    def gauge(self, name: str, value: float, **labels: str) -> None: ...

    def observe(self, name: str, value: float, **labels: str) -> None: ...


class NullMeter:
    """Forgets everything, but refuses names that the catalogue lacks, as the real one does."""

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        CATALOGUE[name]

    def gauge(self, name: str, value: float, **labels: str) -> None:
        CATALOGUE[name]

    def observe(self, name: str, value: float, **labels: str) -> None:
        CATALOGUE[name]


_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

METRICS: tuple[MetricSpec, ...] = (
    # collector
    MetricSpec("sizewise_collector_rows_total", "counter", "Telemetry rows read", ("source",)),
    MetricSpec("sizewise_collector_source_errors_total", "counter", "Reads of a source that failed", ("source",)),
    MetricSpec("sizewise_collector_read_seconds", "histogram", "Time of one read of a source", ("source",), _SECONDS),
    MetricSpec(
        "sizewise_collector_clamped_values_total",
        "counter",
        "Values over the range of their signal: ratios were set to 1, others left out",
        ("source",),
    ),
    MetricSpec("sizewise_collector_workloads", "gauge", "Workloads seen in the newest read", ("source",)),
    MetricSpec(
        "sizewise_collector_signal_seen", "gauge", "1 when a source can see a signal, 0 when not", ("source", "signal")
    ),
    MetricSpec("sizewise_outbox_messages", "gauge", "Messages waiting on disk for the log"),
    MetricSpec("sizewise_outbox_bytes", "gauge", "Bytes waiting on disk for the log"),
    MetricSpec(
        "sizewise_outbox_dropped_messages_total", "counter", "Oldest messages dropped because the outbox was full"
    ),
    MetricSpec("sizewise_outbox_sent_messages_total", "counter", "Messages the log has confirmed", ("stream",)),
    MetricSpec("sizewise_listen_requests_total", "counter", "Pushes answered", ("route", "status")),
    MetricSpec(
        "sizewise_listen_samples_total", "counter", "Samples pushed, by what became of them", ("protocol", "fate")
    ),
    MetricSpec(
        "sizewise_listen_dropped_samples_total",
        "counter",
        "Samples taken that came twice or too late for a row",
        ("fate",),
    ),
    MetricSpec("sizewise_listen_clamped_values_total", "counter", "Pushed values over their signal's range"),
    MetricSpec("sizewise_listen_series", "gauge", "Pushed series known now"),
    # every process
    MetricSpec("sizewise_build_info", "gauge", "Always 1; its labels say which build this is", ("version", "python")),
    MetricSpec("sizewise_stage_restarts_total", "counter", "Times a stage died and was started again", ("stage",)),
    # every consumer
    MetricSpec("sizewise_stage_records_total", "counter", "Messages taken from a stream", ("stage", "stream")),
    MetricSpec("sizewise_stage_lag_messages", "gauge", "Messages of a stream not yet taken", ("stage", "stream")),
    MetricSpec(
        "sizewise_stage_dead_letters_total", "counter", "Messages or rows that could not be read", ("stage", "reason")
    ),
    MetricSpec("sizewise_stage_commit_seconds", "histogram", "Time of one commit", ("stage",), _SECONDS),
    MetricSpec("sizewise_stage_partitions", "gauge", "Partitions owned", ("stage",)),
    # profiler
    MetricSpec("sizewise_profiler_rows_total", "counter", "Telemetry rows absorbed"),
    MetricSpec("sizewise_profiler_samples_total", "counter", "Values absorbed"),
    MetricSpec("sizewise_profiler_workloads", "gauge", "Workloads with a profile"),
    # recommender
    MetricSpec("sizewise_recommender_recommendations_total", "counter", "Recommendations written", ("action",)),
    MetricSpec(
        "sizewise_recommender_outcomes_total", "counter", "Changes that followed a recommendation, judged", ("result",)
    ),
    MetricSpec("sizewise_recommender_decide_seconds", "histogram", "Time of one batch of decisions", (), _SECONDS),
    # webhook
    MetricSpec(
        "sizewise_webhook_reviews_total", "counter", "Reviews of pods answered, by what came of them", ("outcome",)
    ),
    MetricSpec(
        "sizewise_webhook_review_seconds", "histogram", "Time from a review's first byte to its answer", (), _SECONDS
    ),
    MetricSpec(
        "sizewise_webhook_certificate_expiry_timestamp_seconds", "gauge", "When the certificate that is served ends"
    ),
    # API
    MetricSpec("sizewise_api_requests_total", "counter", "Requests answered", ("route", "status")),
    MetricSpec("sizewise_api_request_seconds", "histogram", "Time to answer", ("route",), _SECONDS),
    MetricSpec("sizewise_api_denied_total", "counter", "Requests refused for who asked", ("reason",)),
    MetricSpec("sizewise_audit_entries_total", "counter", "Entries taken for the audit stream", ("decision",)),
    MetricSpec(
        "sizewise_audit_dropped_entries_total",
        "counter",
        "Audit entries lost: the log was away and the queue full",
        ("decision",),
    ),
    MetricSpec(
        "sizewise_extender_calls_total",
        "counter",
        "Calls of a scheduler extender, by verb and whether they were answered in time or neutrally",
        ("verb", "outcome"),
    ),
    MetricSpec("sizewise_feed_readers", "gauge", "Waiting requests and event streams of the change feed now"),
    MetricSpec(
        "sizewise_feed_ended_total", "counter", "Event streams of the change feed that ended, by reason", ("reason",)
    ),
    # fingerprints
    MetricSpec("sizewise_model_age_seconds", "gauge", "Time since the model in use was trained", ("model",)),
    MetricSpec(
        "sizewise_model_drift_index",
        "gauge",
        "Population stability index of runs since training that lie further from what is known; above 0.25: train",
        ("model",),
    ),
    MetricSpec("sizewise_model_unknown_ratio", "gauge", "Share of runs since training that are unknown", ("model",)),
    MetricSpec(
        "sizewise_model_training_total", "counter", "Rounds of training, by what came of them", ("model", "result")
    ),
    MetricSpec("sizewise_view_workloads", "gauge", "Workloads in the view"),
    MetricSpec("sizewise_view_age_seconds", "gauge", "Age of the newest message in the view"),
    MetricSpec("sizewise_fleet_series_seconds", "histogram", "Time to make the fleet's series", (), _SECONDS),
)

CATALOGUE: dict[str, MetricSpec] = {spec.name: spec for spec in METRICS}
