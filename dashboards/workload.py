"""One workload: what it uses, has, and should get over time; what limits it; why sizewise says so."""

from __future__ import annotations

from collections.abc import Iterator

from grafanalib.core import Panel

from dashboards import variables
from dashboards.page import Page, Section
from dashboards.panels import AGO, BYTES, CORES, COUNT, RATIO, WATTS, Column, Query, Style, lines, number, table, words
from dashboards.queries import fleet, increase
from dashboards.tables import REASON_WORDS, WORKLOAD_UID
from models.fleet_metrics import UNITS

_DASHED = {"custom.lineStyle": {"fill": "dash", "dash": [10, 10]}}
_TOLD = {
    "request": "request now",
    "limit": "limit now",
    "recommended_request": "recommended request",
    "recommended_lower": "lower bound",
    "recommended_upper": "upper bound",
    "recommended_limit": "recommended limit",
}


def _glance() -> Section:
    def action(resource: str) -> str:
        return fleet("sizewise_workload_action_info", resource=resource)

    seen = f"max({fleet('sizewise_workload_last_seen_timestamp_seconds')}) * 1000"
    return Section(
        "At a glance",
        [
            words(
                "What limits it",
                "compute, memory-bandwidth, memory-pressure, io, latency (in use, nothing saturated), idle, or insufficient "
                "(the signal that would tell is missing). With a GPU the GPU's side, unless its host waits for a disk or "
                "the network.",
                fleet("sizewise_workload_bottleneck_info", device="all"),
                "class",
            ),
            words("CPU request", "What to do about the CPU request.", action("cpu"), "action"),
            words("Memory request", "What to do about the memory request.", action("memory"), "action"),
            number(
                "Confidence",
                "Share of the history that policy asks for before it is sure. Under 1 the bounds are wide.",
                f"min({fleet('sizewise_workload_confidence_ratio')})",
                RATIO,
            ),
            number(
                "Instances",
                "Pods, job runs or processes of it that the nodes hold now.",
                f"max({fleet('sizewise_workload_instances')})",
            ),
            number("Last seen", "When its newest telemetry ended.", seen, AGO),
        ],
        4,
    )


def _sizes(resource: str, title: str, unit: str, about: str) -> Iterator[Panel]:
    name = f"sizewise_workload_{resource}_{{}}_{UNITS[resource]}"
    usage = [
        Query(fleet(name.format("usage"), statistic=statistic), f"usage, {said} {{{{container}}}}")
        for statistic, said in {"last": "newest", "p95": "95th percentile", "peak": "peak"}.items()
    ]
    sizes = [Query(fleet(name.format(what)), f"{said} {{{{container}}}}") for what, said in _TOLD.items()]
    yield lines(f"{title}: usage, request and recommendation", about, [*usage, *sizes], Style(unit))


def _over_time() -> Section:
    cpu = (
        "Per instance. A request between the bounds is right; under the lower one it is too small, over the upper one it is "
        "waste. CPU above the request is slowed down where the node is full; above the limit it is stopped."
    )
    memory = (
        "Per instance. Memory over the limit kills, so the recommendation covers peaks and not means. The bounds say from "
        "where on a request is too small, or waste."
    )
    return Section(
        "Usage, request and recommendation",
        [*_sizes("cpu", "CPU", CORES, cpu), *_sizes("memory", "Memory", BYTES, memory)],
        10,
    )


def _why() -> Section:
    reasons = {"Reasons": fleet("sizewise_workload_reason_info")}
    columns = [Column("container", "Container"), Column("resource", "Resource"), Column("reason", "Because")]
    saving = [
        Query(f"sum({fleet(f'sizewise_workload_{resource}_saving_{unit}')})", resource)
        for resource, unit in UNITS.items()
    ]
    risk = [Query(fleet("sizewise_workload_overrun_risk_ratio"), "{{resource}} {{container}}")]
    return Section(
        "Why",
        [
            table(
                "Reasons",
                "What led to the recommendation, in the words of the report.",
                reasons,
                columns,
                mappings={"Because": REASON_WORDS},
            ),
            lines(
                "What it could give back",
                "Request now less the recommended one, of all instances. Under 0: it needs more. CPU in cores on the left "
                "axis, memory on the right one.",
                saving,
                Style(CORES, least=None, overrides={"memory": {"unit": BYTES, "custom.axisPlacement": "right"}}),
            ),
            lines(
                "Risk of an overrun",
                "CPU: share of time above the recommended request. Memory: chance of a day above it.",
                risk,
                Style(RATIO),
            ),
        ],
        8,
        (10, 7, 7),
    )


def _pain() -> Section:
    pressure = [Query(fleet("sizewise_workload_pressure_ratio"), "{{resource}} {{container}}")]
    return Section(
        "What hurts it now",
        [
            lines(
                "Waiting for CPU, memory and disks",
                "Share of time in which at least one of its tasks waited for the resource (Linux pressure stall information).",
                pressure,
                Style(RATIO, most=1),
            ),
            lines(
                "Throttled by its CPU limit",
                "Share of scheduling periods in which the CPU limit stopped it.",
                [Query(fleet("sizewise_workload_cpu_throttled_ratio"), "{{container}}")],
                Style(RATIO, most=1),
            ),
            lines(
                "OOM kills",
                "Containers of it that the kernel killed for memory.",
                [Query(increase("sizewise_workload_oom_kills_total"), "{{container}}")],
                Style(COUNT),
            ),
            lines(
                "How sure the class is",
                "Confidence in what limits its CPU side, its GPU side, and the whole.",
                [Query(fleet("sizewise_workload_bottleneck_confidence_ratio"), "{{device}} {{container}}")],
                Style(RATIO, most=1),
            ),
        ],
    )


def _gpu() -> Section:
    mig = [
        Column("action", "Advice"), Column("mig_profile", "Slice"), Column("Speed", "Speed kept", RATIO),
        Column("probe", "Measure on"), Column("reason", "Because"), Column("container", "Container"),
    ]  # fmt: skip
    advice = {"Advice": fleet("sizewise_workload_mig_advice_info"), "Speed": fleet("sizewise_workload_mig_speed_ratio")}
    classes = [Query(fleet("sizewise_workload_gpu_time_ratio"), "{{class}} {{io_kind}}")]
    evidence = [Query(fleet("sizewise_workload_gpu_evidence_ratio"), "{{evidence}}")]
    activity = [Query(fleet("sizewise_workload_gpu_activity_ratio"), "{{signal}}")]
    return Section(
        "Its GPUs (no data: it has none)",
        [
            lines(
                "What its GPU time goes to",
                "Share of time in each class; newer time weighs more.",
                classes,
                Style(RATIO, stacked=True, most=1),
            ),
            lines(
                "Evidence",
                "What was compared to find the class, as a share of its ceiling: what is nearest to 1 limits.",
                evidence,
                Style(RATIO),
            ),
            lines("GPU signals", "Means per GPU; newer time weighs more.", activity, Style(RATIO)),
            lines(
                "GPU power",
                "Mean board power per GPU.",
                [Query(fleet("sizewise_workload_gpu_power_watts"), "{{container}}")],
                Style(WATTS),
            ),
            lines(
                "Peak of device memory",
                "Most device memory in use on one GPU in 32 days.",
                [Query(fleet("sizewise_workload_gpu_memory_peak_bytes"), "{{container}}")],
                Style(BYTES),
            ),
            table(
                "MIG advice",
                "The smallest slice of a GPU that holds its memory and keeps it within the slowdown that policy allows. "
                "Measure on: the slice to run it on once, where the answer is near the line.",
                advice,
                mig,
            ),
        ],
        8,
        (8, 8, 8, 6, 6, 12),
    )


WORKLOAD = Page(
    uid=WORKLOAD_UID,
    title="sizewise / Workload",
    description="One workload: usage, request, recommendation and bounds over time, what limits it, and why.",
    variables=[
        variables.datasource(),
        variables.job(),
        variables.cluster(),
        variables.namespace(),
        variables.workload(every=False),
    ],
    sections=[_glance(), _over_time(), _why(), _pain(), _gpu()],
)
