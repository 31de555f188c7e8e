"""sizewise itself, the second half: does it answer, and how its processes and models fare."""

from __future__ import annotations

from dashboards.page import Section
from dashboards.panels import BYTES, CORES, PER_SECOND, SECONDS, Query, Style, lines
from dashboards.queries import fleet, own, quantile, rate


def answers() -> Section:
    return Section(
        "Does it answer",
        [
            lines(
                "API requests",
                "Per second, by route and status.",
                [Query(f"sum by (route, status) ({rate('sizewise_api_requests_total')})", "{{status}} {{route}}")],
                Style(PER_SECOND),
            ),
            lines(
                "API time to answer, 99th percentile",
                "By route.",
                [Query(quantile(0.99, "sizewise_api_request_seconds", "route"), "{{route}}")],
                Style(SECONDS),
            ),
            lines(
                "Webhook reviews",
                "Pods reviewed per second, by what came of it. No data: no webhook runs.",
                [Query(f"sum by (outcome) ({rate('sizewise_webhook_reviews_total')})", "{{outcome}}")],
                Style(PER_SECOND),
            ),
            lines(
                "Calls of scheduler extenders",
                "Per second, by verb, and whether they were answered in time or neutrally.",
                [Query(f"sum by (verb, outcome) ({rate('sizewise_extender_calls_total')})", "{{verb}}: {{outcome}}")],
                Style(PER_SECOND),
            ),
            lines(
                "Readers of the change feed",
                "Waiting requests and event streams of GET /v1/recommendations now.",
                [Query(f"sum by (instance) ({own('sizewise_feed_readers')})", "{{instance}}")],
            ),
            lines(
                "Webhook time to answer",
                "Median and 99th percentile: what each creation of a pod waits for.",
                [
                    Query(quantile(0.5, "sizewise_webhook_review_seconds"), "median"),
                    Query(quantile(0.99, "sizewise_webhook_review_seconds"), "99th percentile"),
                ],
                Style(SECONDS),
            ),
        ],
    )


def processes() -> Section:
    age = f"max by (model) ({own('sizewise_model_age_seconds')})"
    return Section(
        "Its processes and models",
        [
            lines(
                "Age of models",
                "Time since each learned model in use was trained. `sizewise up` learns anew once a day where enough was seen.",
                [Query(age, "{{model}}")],
                Style(SECONDS),
            ),
            lines(
                "CPU",
                "Cores that each process uses.",
                [Query(rate("process_cpu_seconds_total"), "{{job}} {{instance}}")],
                Style(CORES),
            ),
            lines(
                "Memory",
                "Resident memory of each process.",
                [Query(own("process_resident_memory_bytes"), "{{job}} {{instance}}")],
                Style(BYTES),
            ),
            lines(
                "Time to make the series, 99th percentile",
                "How long it takes to make the series of workloads, GPUs and nodes from the newest snapshot; in the "
                "background, no request waits for it.",
                [Query(quantile(0.99, "sizewise_fleet_series_seconds"), "seconds")],
                Style(SECONDS),
            ),
            lines(
                "What is not told one by one",
                "Nodes, GPUs and namespaces over the limits of api.metrics.",
                [Query(fleet(f"sizewise_{what}_not_exported"), what) for what in ("nodes", "gpus", "namespaces")],
            ),
        ],
    )
