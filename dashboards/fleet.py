"""The fleet: what is wasted, what is at risk, what each namespace could give back."""

from __future__ import annotations

from dashboards import variables
from dashboards.page import Page, Section, link_to
from dashboards.panels import BYTES, CORES, RATIO, USD_PER_HOUR, Column, Query, Style, lines, number, table
from dashboards.queries import ON_WORKLOAD, fleet, increase
from dashboards.tables import TO_WORKLOAD, WORKLOAD_COLUMNS

UID = "sizewise-fleet"
_RAISED = fleet("sizewise_workload_action_info", action="raise")


def _total(name: str) -> str:
    return f"sum({fleet(f'sizewise_namespace_{name}')})"


def _glance() -> Section:
    return Section(
        "At a glance",
        [
            number(
                "CPU to give back",
                "Cores that are requested and not needed, of all instances. Negative: the fleet needs "
                "more than it asks for.",
                _total("cpu_saving_cores"),
                CORES,
            ),
            number(
                "Memory to give back",
                "Memory that is requested and not needed, of all instances.",
                _total("memory_saving_bytes"),
                BYTES,
            ),
            number(
                "GPUs that idle",
                "GPUs that workloads hold, times the share of their time in which hardly anything ran on them.",
                _total("gpus_idle"),
            ),
            number(
                "Saving per hour",
                "What the CPU and memory to give back cost, by the prices of the nodes. No data: no "
                "node without GPUs has a price.",
                _total("saving_usd_per_hour"),
                USD_PER_HOUR,
            ),
            number(
                "Idle GPUs per hour",
                "What the idle GPU time costs, by the price of the nodes, else the list price of the GPU model.",
                _total("gpus_idle_usd_per_hour"),
                USD_PER_HOUR,
            ),
            number(
                "Too small",
                "Workloads whose CPU or memory request should be raised: they are throttled, at risk of an "
                "OOM kill, or grow.",
                f"sum({fleet('sizewise_workloads', action='raise')})",
                alarm=1,
            ),
            number(
                "Workloads",
                "Workloads that have a profile. A workload is what stays the same when its pods or job runs "
                "come and go.",
                _total("workloads"),
            ),
            number(
                "Not told one by one",
                "Workloads beyond api.metrics.workloads_limit: they are in all totals, and have no lines of their own.",
                f"sum({fleet('sizewise_workloads_not_exported')})",
            ),
        ],
        4,
    )


def _wasted() -> Section:
    def requested(resource: str, unit: str) -> list[Query]:
        name = f"sizewise_namespace_{resource}_{{}}_{unit}"
        return [Query(f"sum({fleet(name.format(what))})", what) for what in ("requested", "needed")]

    return Section(
        "What is wasted",
        [
            lines(
                "CPU requested and needed",
                "Requests of all instances, and what sizewise would request instead. Between the lines lies the waste.",
                requested("cpu", "cores"),
                Style(CORES),
            ),
            lines(
                "Memory requested and needed",
                "Requests of all instances, and what sizewise would request instead.",
                requested("memory", "bytes"),
                Style(BYTES),
            ),
            lines(
                "GPUs held and idle",
                "GPUs that workloads hold (a MIG slice counts by its share), and how many of them idle.",
                [Query(_total("gpus_held"), "held"), Query(_total("gpus_idle"), "idle")],
            ),
        ],
    )


def _namespaces() -> Section:
    columns = [
        Column("namespace", "Namespace"),
        Column("cluster", "Cluster"),
        Column("CPU", "CPU to give back", CORES),
        Column("Memory", "Memory to give back", BYTES),
        Column("Saving", "Saving per hour", USD_PER_HOUR),
        Column("GPUs", "Idle GPUs", "short"),
        Column("Cost", "Idle GPUs per hour", USD_PER_HOUR),
        Column("Workloads", "Workloads", "short"),
    ]
    queries = {
        "CPU": "cpu_saving_cores",
        "Memory": "memory_saving_bytes",
        "Saving": "saving_usd_per_hour",
        "GPUs": "gpus_idle",
        "Cost": "gpus_idle_usd_per_hour",
        "Workloads": "workloads",
    }
    here = link_to(UID, "Only this namespace", cluster="cluster", namespace="namespace")
    exprs = {title: fleet(f"sizewise_namespace_{name}") for title, name in queries.items()}
    return Section(
        "Saving per namespace",
        [
            table(
                "Namespaces",
                "What each namespace could give back, of all its workloads. An empty cell: not known there. "
                "A click on a namespace shows it alone.",
                exprs,
                columns,
                [here],
                "Saving per hour",
            ),
            lines(
                "CPU to give back, by namespace",
                "The ten namespaces with most CPU to give back.",
                [Query(f"topk(10, {fleet('sizewise_namespace_cpu_saving_cores')})", "{{namespace}}")],
                Style(CORES, least=None),
            ),
        ],
        9,
        (15, 9),
    )


def _largest() -> Section:
    cpu = f"topk(50, {fleet('sizewise_workload_cpu_saving_cores')})"
    memory = f"topk(50, {fleet('sizewise_workload_memory_saving_bytes')})"
    shown = f"{fleet('sizewise_workload_confidence_ratio')} and {ON_WORKLOAD} ({cpu} or {memory})"
    largest = {"CPU": cpu, "Memory": memory, "Confidence": shown}
    columns = [
        *WORKLOAD_COLUMNS,
        Column("CPU", "CPU to give back", CORES),
        Column("Memory", "Memory to give back", BYTES),
        Column("Confidence", "Confidence", RATIO),
    ]
    return Section(
        "Largest savings",
        [
            table(
                "Workloads with most to give back",
                "The 50 with most CPU and the 50 with most memory to give back, all "
                "instances together. Confidence: share of the history that policy asks for before it is sure. A click on "
                "a workload shows why.",
                largest,
                columns,
                [TO_WORKLOAD],
                "CPU to give back",
            ),
        ],
        10,
    )


def _risk() -> Section:
    raised = {"Raise": _RAISED}
    for title, name in {"CPU": "cpu_recommended_request_cores", "Memory": "memory_recommended_request_bytes"}.items():
        raised[title] = f"{fleet(f'sizewise_workload_{name}')} and {ON_WORKLOAD} {_RAISED}"
    columns = [
        *WORKLOAD_COLUMNS,
        Column("resource", "Too small"),
        Column("CPU", "CPU to request", CORES),
        Column("Memory", "Memory to request", BYTES),
    ]
    risk = fleet("sizewise_workload_overrun_risk_ratio")
    return Section(
        "What is at risk",
        [
            table(
                "Workloads that are too small",
                "Their request should be raised: an OOM kill, throttling or growth says "
                "so. A click on a workload shows which.",
                raised,
                columns,
                [TO_WORKLOAD],
            ),
            lines(
                "Highest risk of an overrun",
                "CPU: share of time above the recommended request. Memory: chance of a day above it. The ten highest.",
                [Query(f"topk(10, {risk})", "{{workload}} {{resource}}")],
                Style(RATIO),
            ),
            lines(
                "OOM kills",
                "Containers that the kernel killed for memory, per namespace.",
                [
                    Query(
                        f"sum by (cluster, namespace) ({increase('sizewise_workload_oom_kills_total')})",
                        "{{namespace}}",
                    )
                ],
            ),
            lines(
                "Throttled by a CPU limit",
                "Share of scheduling periods in which the CPU limit stopped it. The ten highest.",
                [Query(f"topk(10, {fleet('sizewise_workload_cpu_throttled_ratio')})", "{{workload}}")],
                Style(RATIO),
            ),
        ],
        9,
        (24, 8, 8, 8),
    )


def _kinds() -> Section:
    actions = f"sum by (action) ({fleet('sizewise_workloads')})"
    classes = f"sum by (class, io_kind) ({fleet('sizewise_workloads_limited', device='all')})"
    return Section(
        "What kinds of workloads there are",
        [
            lines(
                "Recommended actions",
                "Workloads by what to do about their requests; CPU and memory count apart.",
                [Query(actions, "{{action}}")],
                Style(stacked=True),
            ),
            lines(
                "What limits workloads",
                "compute: a core or a math pipe. memory-bandwidth, io, memory-pressure: it waits "
                "for those. latency: in use, and nothing is saturated. idle: hardly anything runs. insufficient: the "
                "signal that would tell is missing.",
                [Query(classes, "{{class}} {{io_kind}}")],
                Style(stacked=True),
            ),
        ],
    )


FLEET = Page(
    uid=UID,
    title="sizewise / Fleet",
    description="What is wasted, what is at risk, and what each namespace could give back.",
    variables=variables.down_to_workloads(),
    sections=[_glance(), _wasted(), _namespaces(), _largest(), _risk(), _kinds()],
)
