"""sizewise itself: is it up to date, does it lose anything, what does it not see, does it answer."""

from __future__ import annotations

from dashboards import variables
from dashboards.itself_answers import answers, processes
from dashboards.page import Page, Section
from dashboards.panels import AGO, BYTES, PER_SECOND, RATIO, SECONDS, Column, Query, Style, lines, number, table
from dashboards.queries import fleet, own, quantile, rate

_REQUESTS = "sizewise_api_requests_total"


def _hour(name: str) -> str:
    return f"sum(increase({own(name)}[1h]))"


def _glance() -> Section:
    return Section(
        "At a glance",
        [
            number(
                "Processes",
                "Processes of sizewise that Prometheus scrapes now.",
                f"count({own('sizewise_build_info')})",
            ),
            number(
                "Age of answers",
                "Age of the newest message that the API answers from. Small while telemetry comes in.",
                f"max({own('sizewise_view_age_seconds')})",
                SECONDS,
                alarm=300,
            ),
            number(
                "Lag",
                "Messages that a stage has not yet taken, of the stage that is furthest behind.",
                f"max({own('sizewise_stage_lag_messages')})",
                alarm=10_000,
            ),
            number(
                "Dropped in an hour",
                "Messages that a full outbox dropped: the log was away for too long.",
                _hour("sizewise_outbox_dropped_messages_total"),
                alarm=1,
            ),
            number(
                "Unreadable in an hour",
                "Messages and rows that went to dead letters, for whatever reason.",
                _hour("sizewise_stage_dead_letters_total"),
                alarm=1,
            ),
            number(
                "Workloads in the view",
                "Workloads that the API knows.",
                f"max({own('sizewise_view_workloads')})",
            ),
            number(
                "Requests that failed",
                "Share of API requests that were answered with 5xx in the last hour.",
                f"1 - sum(increase({own(_REQUESTS, status='!~5..')}[1h])) / sum(increase({own(_REQUESTS)}[1h]))",
                RATIO,
                alarm=0.01,
            ),
            number(
                "Series are of",
                "When the newest message behind the series of workloads, GPUs and nodes was written.",
                f"max({fleet('sizewise_fleet_timestamp_seconds')}) * 1000",
                AGO,
            ),
        ],
        4,
    )


def _stages() -> Section:
    return Section(
        "Stages: are they up to date",
        [
            lines(
                "Lag",
                "Messages of a stream that a stage has not yet taken. It falls to 0 between flushes where it keeps up.",
                [Query(f"sum by (stage, stream) ({own('sizewise_stage_lag_messages')})", "{{stage}} of {{stream}}")],
            ),
            lines(
                "Messages taken",
                "Messages per second that each stage takes from each stream.",
                [Query(f"sum by (stage, stream) ({rate('sizewise_stage_records_total')})", "{{stage}} of {{stream}}")],
                Style(PER_SECOND),
            ),
            lines(
                "Time of a commit, 99th percentile",
                "How long it takes to write results and offset together.",
                [Query(quantile(0.99, "sizewise_stage_commit_seconds", "stage"), "{{stage}}")],
                Style(SECONDS),
            ),
            lines(
                "Rows and values absorbed",
                "Telemetry rows, and values in them, that profiles took in per second.",
                [
                    Query(f"sum({rate('sizewise_profiler_rows_total')})", "rows"),
                    Query(f"sum({rate('sizewise_profiler_samples_total')})", "values"),
                ],
                Style(PER_SECOND),
            ),
            lines(
                "Recommendations written",
                "Per second, by action; CPU and memory count apart.",
                [Query(f"sum by (action) ({rate('sizewise_recommender_recommendations_total')})", "{{action}}")],
                Style(PER_SECOND),
            ),
            lines(
                "Partitions owned, and restarts",
                "Partitions that each stage owns over all processes, and how often a stage died and was started again.",
                [
                    Query(f"sum by (stage) ({own('sizewise_stage_partitions')})", "{{stage}} partitions"),
                    Query(f"sum by (stage) ({own('sizewise_stage_restarts_total')})", "{{stage}} restarts"),
                ],
            ),
        ],
    )


def _loss() -> Section:
    return Section(
        "Is anything lost",
        [
            lines(
                "Waiting in outboxes",
                "Messages that collectors keep on disk until the log takes them.",
                [Query(f"sum({own('sizewise_outbox_messages')})", "messages")],
            ),
            lines(
                "Bytes in outboxes",
                "Size of those messages; a full outbox drops its oldest.",
                [Query(f"sum by (instance) ({own('sizewise_outbox_bytes')})", "{{instance}}")],
                Style(BYTES),
            ),
            lines(
                "Sent and dropped",
                "Messages per second that the log confirmed, and that a full outbox dropped.",
                [
                    Query(f"sum by (stream) ({rate('sizewise_outbox_sent_messages_total')})", "sent to {{stream}}"),
                    Query(f"sum({rate('sizewise_outbox_dropped_messages_total')})", "dropped"),
                ],
                Style(PER_SECOND),
            ),
            lines(
                "Dead letters, by reason",
                "Messages and rows per second that could not be read, or whose values were out of range, too old or double. "
                "`sizewise log show dead-letters` prints them.",
                [
                    Query(
                        f"sum by (stage, reason) ({rate('sizewise_stage_dead_letters_total')})", "{{stage}}: {{reason}}"
                    )
                ],
                Style(PER_SECOND),
            ),
            lines(
                "Sources that failed",
                "Reads per second of each source that failed; it is asked again after a pause, the others go on.",
                [Query(f"sum by (source) ({rate('sizewise_collector_source_errors_total')})", "{{source}}")],
                Style(PER_SECOND),
            ),
            lines(
                "Values over their range",
                "Values per second that were above what their signal can be.",
                [Query(f"sum by (source) ({rate('sizewise_collector_clamped_values_total')})", "{{source}}")],
                Style(PER_SECOND),
            ),
        ],
    )


def _coverage() -> Section:
    columns = [Column("signal", "Signal"), Column("source", "Source"), Column("seen", "Seen"), Column("Nodes", "Nodes")]
    return Section(
        "What it sees",
        [
            table(
                "Coverage of signals",
                "On how many nodes each source sees each signal. Where it does not, the API's /v1/nodes says why, and what "
                "to do.",
                {"Nodes": fleet("sizewise_coverage_nodes")},
                columns,
                sort="Nodes",
            ),
            lines(
                "CPU signals that workloads lack",
                "Workloads of which no source ever gave a value of the signal.",
                [Query(fleet("sizewise_workloads_without_signal"), "{{signal}}")],
            ),
            lines(
                "Rows read, by source",
                "Telemetry rows per second.",
                [Query(f"sum by (source) ({rate('sizewise_collector_rows_total')})", "{{source}}")],
                Style(PER_SECOND),
            ),
            lines(
                "Time of a read, 95th percentile",
                "How long it takes to read each source once.",
                [Query(quantile(0.95, "sizewise_collector_read_seconds", "source"), "{{source}}")],
                Style(SECONDS),
            ),
        ],
        9,
        (9, 5, 5, 5),
    )


ITSELF = Page(
    uid="sizewise-itself",
    title="sizewise / Itself",
    description="Whether sizewise is up to date, loses anything, sees what it needs, and answers.",
    variables=[variables.datasource(), variables.job(), variables.instance()],
    sections=[_glance(), _stages(), _loss(), _coverage(), answers(), processes()],
)
