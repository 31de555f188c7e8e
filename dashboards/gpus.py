"""GPUs and MIG: what each GPU does, who holds it, how it is cut, and how it should be."""

from __future__ import annotations

from dashboards import variables
from dashboards.page import Json, Page, Section
from dashboards.panels import BYTES, RATIO, USD_PER_HOUR, WATTS, Column, Query, Style, lines, number, table
from dashboards.queries import ON_WORKLOAD, fleet, with_labels
from dashboards.tables import CLASS_WORDS, TO_WORKLOAD, WORKLOAD_COLUMNS

_HOLDER = fleet("sizewise_gpu_holder_info")
_CLASS = fleet("sizewise_workload_bottleneck_info", device="gpu")
_PER_GPU = "on (cluster, node, gpu)"
_DCGM: Json = {
    "title": "GPU hardware (dcgm-exporter)",
    "type": "link",
    "url": "https://grafana.com/grafana/dashboards/12239",
    "tooltip": "Temperatures, clocks and errors of the boards: the dashboard of dcgm-exporter shows them",
    "icon": "external link",
    "tags": [],
    "targetBlank": True,
    "asDropdown": False,
    "includeVars": False,
    "keepTime": False,
}


def _glance() -> Section:
    def total(name: str) -> str:
        return f"sum({fleet(f'sizewise_namespace_{name}')})"

    return Section(
        "At a glance",
        [
            number(
                "GPUs",
                "GPUs in the inventory, whole ones and those cut by MIG.",
                f"count({fleet('sizewise_gpu_info')})",
            ),
            number(
                "Held by nobody",
                "GPUs of which no workload holds any part.",
                f"count({fleet('sizewise_gpu_info')} unless {_PER_GPU} {_HOLDER})",
            ),
            number(
                "Held", "GPUs that workloads hold; a MIG slice counts by its share of the compute.", total("gpus_held")
            ),
            number("Idle", "Held GPUs times the share of their time in which hardly anything ran.", total("gpus_idle")),
            number(
                "Idle, per hour",
                "What the idle GPU time costs, by the price of the nodes, else the list price of the model.",
                total("gpus_idle_usd_per_hour"),
                USD_PER_HOUR,
            ),
            number(
                "Fragmented",
                "Free GPUs that the next request is expected not to fit, by what is asked for now: too few on one node, "
                "or a node without CPU or memory left.",
                f"sum({fleet('sizewise_node_gpus_fragmented')})",
            ),
        ],
        4,
    )


def _time() -> Section:
    held = f"sum by (class, io_kind) ({with_labels(fleet('sizewise_workload_gpu_time_ratio'), _HELD)})"
    return Section(
        "What GPU time goes to",
        [
            lines(
                "Held GPUs by what limits them",
                "GPUs that workloads hold, by the share of time in each class. compute: a math pipe or the power limit; "
                "memory-bandwidth: the device memory; io: waits for the host, another GPU, the network or a disk; latency: "
                "short kernels and gaps; idle: hardly anything runs; insufficient: signals are missing.",
                [Query(held, "{{class}} {{io_kind}}")],
                Style(stacked=True),
            ),
            lines(
                "Busy GPUs, by workload",
                "Share of time in which the GPU ran something. A busy GPU need not be a well used one: see the evidence. "
                "The 20 workloads with most GPUs.",
                [
                    Query(
                        f"topk(20, {fleet('sizewise_workload_gpu_evidence_ratio', evidence='busy_ratio')})",
                        "{{workload}}",
                    )
                ],
                Style(RATIO, most=1),
            ),
            lines(
                "Power per GPU, by workload",
                "Mean board power of the GPUs that each workload uses; newer time weighs more.",
                [Query(f"topk(20, {fleet('sizewise_workload_gpu_power_watts')})", "{{workload}}")],
                Style(WATTS),
            ),
        ],
        9,
    )


_HELD = fleet("sizewise_workload_gpus_held")


def _each() -> Section:
    doing = with_labels(_HOLDER, _CLASS, "class", "io_kind")
    keys = "on (cluster, node, gpu, mig_profile, namespace, kind, workload, container)"
    evidence = {
        title: f"{_HOLDER} * {ON_WORKLOAD} group_left () {fleet('sizewise_workload_gpu_evidence_ratio', evidence=name)}"
        for title, name in {"Busy": "busy_ratio", "Compute": "compute_ratio", "DRAM": "memory_ratio"}.items()
    }
    columns = [
        WORKLOAD_COLUMNS[0], Column("namespace", "Namespace"), Column("cluster", "Cluster"), Column("node", "Node"),
        Column("gpu", "GPU"), Column("mig_profile", "MIG slice"), Column("class", "Limited by"),
        Column("io_kind", "I/O"), Column("Busy", "Busy", RATIO), Column("Compute", "Compute", RATIO),
        Column("DRAM", "Memory bandwidth", RATIO),
    ]  # fmt: skip
    return Section(
        "What each GPU does",
        [
            table(
                "GPUs and who holds them",
                "One row per GPU (or MIG slice) and workload on it: what limits the workload, and how much of the GPU's time, "
                "math pipes and memory bandwidth it uses, as means over its GPUs. An empty cell: the signal is missing.",
                {"Holder": f"{doing} or {keys} {_HOLDER}", **evidence},
                columns,
                [TO_WORKLOAD],
                mappings={"Limited by": CLASS_WORDS},
            ),
        ],
        11,
    )


def _mig() -> Section:
    layout = [
        Column("node", "Node"), Column("gpu", "GPU"), Column("mig_profile", "Slice"), Column("held", "Held"),
        Column("Slices", "Slices"), Column("cluster", "Cluster"),
    ]  # fmt: skip
    advice = [
        *WORKLOAD_COLUMNS, Column("action", "Advice"), Column("mig_profile", "Slice"),
        Column("Speed", "Speed kept", RATIO), Column("probe", "Measure on"), Column("reason", "Because"),
        Column("Memory", "Device memory peak", BYTES),
    ]  # fmt: skip
    queries = {
        "Advice": fleet("sizewise_workload_mig_advice_info"),
        "Speed": fleet("sizewise_workload_mig_speed_ratio"),
        "Memory": fleet("sizewise_workload_gpu_memory_peak_bytes"),
    }
    return Section(
        "MIG",
        [
            table(
                "Layout now",
                "How GPUs are cut into slices, and whether a workload holds each.",
                {"Slices": fleet("sizewise_gpu_mig_instances")},
                layout,
            ),
            table(
                "Advice per workload",
                "slice: take this one. whole: keep the GPU. probe: run it once on the slice under Measure on, the signals do "
                "not decide. refused: MIG is no answer, the code says why.",
                queries,
                advice,
                [TO_WORKLOAD],
            ),
        ],
        10,
        (8, 16),
    )


def _coverage() -> Section:
    lacking = [Query(fleet("sizewise_gpu_workloads_without_evidence"), "{{evidence}}")]
    return Section(
        "How it is known",
        [
            lines(
                "GPU workloads with and without profiling counters",
                "With counters (DCGM 1001 to 1012, GPM) the class is measured. Without them it is inferred from what NVML "
                "tells, and less sure.",
                [Query(fleet("sizewise_gpu_workloads"), "counters: {{counters}}")],
                Style(stacked=True),
            ),
            lines(
                "Evidence that is missing",
                "GPU workloads of which a number cannot be told, because its signals are missing. `deploy/dcgm/counters.csv` "
                "turns them on in dcgm-exporter.",
                lacking,
            ),
            lines(
                "GPU time that a taught model judged",
                "Share of the GPU time of each workload whose class comes from a model that the fleet itself has taught. "
                "The 20 highest.",
                [Query(f"topk(20, {fleet('sizewise_workload_gpu_learned_ratio')})", "{{workload}}")],
                Style(RATIO, most=1),
            ),
        ],
    )


GPUS = Page(
    uid="sizewise-gpus",
    title="sizewise / GPUs and MIG",
    description="What each GPU does, who holds it, how MIG cuts it, and which slice each workload needs.",
    variables=variables.down_to_workloads(),
    sections=[_glance(), _time(), _each(), _mig(), _coverage()],
    links=[_DCGM],
)
