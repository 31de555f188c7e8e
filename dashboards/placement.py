"""Placement and spot: where there is room, which GPU suits what, and when spot pays."""

from __future__ import annotations

from dashboards import variables
from dashboards.page import Page, Section
from dashboards.panels import BYTES, CORES, RATIO, USD_PER_HOUR, Column, Query, Style, lines, number, table
from dashboards.queries import fleet, with_labels
from dashboards.tables import TO_WORKLOAD, WORKLOAD_COLUMNS

_NODE = fleet("sizewise_node_info")
_ON_NODE = "on (cluster, node)"
_MODEL = "cluster, gpu_model"


def _price(spot: str) -> str:
    return f"max by ({_MODEL}) ({fleet('sizewise_gpu_price_usd_per_hour', spot=spot)})"


def _glance() -> Section:
    def share(free: str, whole: str) -> str:
        return f"sum({fleet(f'sizewise_node_{free}')}) / sum({fleet(f'sizewise_node_{whole}')})"

    return Section(
        "At a glance",
        [
            number("Nodes", "Nodes that a collector or a metric system tells of.", f"count({_NODE})"),
            number("Spot nodes", "Nodes that may be taken away.", f"count({fleet('sizewise_node_info', spot='true')})"),
            number(
                "CPU free", "Share of the CPU that no allocation holds.", share("cpu_free_cores", "cpu_cores"), RATIO
            ),
            number(
                "Memory free",
                "Share of the memory that no allocation holds.",
                share("memory_free_bytes", "memory_bytes"),
                RATIO,
            ),
            number("GPUs free", "Whole GPUs that nobody holds.", f"sum({fleet('sizewise_node_gpus_free')})"),
            number(
                "Free GPUs that do not fit",
                "Share of the free GPUs that the next request is expected not to fit, by what is asked for now.",
                f"sum({fleet('sizewise_node_gpus_fragmented')}) / sum({fleet('sizewise_node_gpus_free')})",
                RATIO,
            ),
        ],
        4,
    )


def _room() -> Section:
    queries = {
        "Node": _NODE,
        "CPU": fleet("sizewise_node_cpu_free_cores"),
        "Memory": fleet("sizewise_node_memory_free_bytes"),
        "GPUs": fleet("sizewise_node_gpus_free"),
        "Lost": fleet("sizewise_node_gpus_fragmented"),
        "Price": fleet("sizewise_node_price_usd_per_hour"),
    }
    columns = [
        Column("node", "Node"), Column("cluster", "Cluster"), Column("zone", "Zone"), Column("spot", "Spot"),
        Column("gpu_model", "GPU model"), Column("GPUs", "GPUs free"), Column("Lost", "GPUs that do not fit"),
        Column("CPU", "CPU free", CORES), Column("Memory", "Memory free", BYTES),
        Column("Price", "Price per hour", USD_PER_HOUR),
    ]  # fmt: skip
    by_model = with_labels(fleet("sizewise_node_gpus_free"), _NODE, "gpu_model", on=_ON_NODE)
    return Section(
        "Where there is room",
        [
            table(
                "Nodes",
                "What each node is and has free. POST /v1/place ranks nodes for one job, with reasons.",
                queries,
                columns,
                sort="GPUs free",
            ),
            lines(
                "Free GPUs by model",
                "Whole GPUs that nobody holds.",
                [Query(f"sum by ({_MODEL}) ({by_model})", "{{gpu_model}} {{cluster}}")],
                Style(stacked=True),
            ),
        ],
        10,
        (16, 8),
    )


def _suited() -> Section:
    columns = [
        *WORKLOAD_COLUMNS, Column("gpu_model", "Runs on"), Column("suited_model", "Suits best"),
        Column("fits", "Is on it"), Column("class", "Limited by"),
    ]  # fmt: skip
    advice = with_labels(
        with_labels(fleet("sizewise_workload_gpu_suited_info"), fleet("sizewise_workload_gpu_info"), "gpu_model"),
        fleet("sizewise_workload_bottleneck_info", device="gpu"),
        "class",
    )
    return Section(
        "Which GPU suits what",
        [
            table(
                "Best GPU model per workload",
                "Of the models of its cluster the one that gives most of what limits the workload (memory bandwidth, math, or "
                "just a GPU), per dollar where prices are known. Where it is on another one, a move would pay.",
                {"Advice": advice},
                columns,
                [TO_WORKLOAD],
            ),
        ],
        9,
    )


def _spot() -> Section:
    held = with_labels(fleet("sizewise_gpu_holder_info"), _NODE, "spot", "gpu_model", on=_ON_NODE)
    on_demand = fleet("sizewise_node_info", spot="false")
    plain = f"sum by ({_MODEL}) ({with_labels(fleet('sizewise_gpu_holder_info'), on_demand, 'gpu_model', on=_ON_NODE)})"
    prices = {
        "On demand": _price("false"),
        "Spot": _price("true"),
        "Even": fleet("sizewise_spot_break_even_interruptions_per_hour"),
        "Saving": f"({_price('false')} - {_price('true')}) * on ({_MODEL}) {plain}",
    }
    columns = [
        Column("gpu_model", "GPU model"), Column("cluster", "Cluster"), Column("On demand", "On demand", USD_PER_HOUR),
        Column("Spot", "Spot", USD_PER_HOUR), Column("Even", "Break-even interruptions per hour"),
        Column("Saving", "Price difference of what runs on demand", USD_PER_HOUR),
    ]  # fmt: skip
    return Section(
        "Spot",
        [
            table(
                "When spot pays",
                "Cheapest hour of a GPU on demand and on spot. Break-even: interruptions per hour up to which a day's job with a "
                "checkpoint of a minute is cheaper on spot, lost work and restarts included. The last column is what the GPUs "
                "held on demand now would cost less on spot, before interruptions. POST /v1/place works it out for one job.",
                prices,
                columns,
            ),
            lines(
                "GPU holders on spot and on demand",
                "GPUs and slices that workloads hold, by whether the node is a spot node.",
                [Query(f"count by (spot) ({held})", "spot: {{spot}}")],
                Style(stacked=True),
            ),
        ],
        9,
        (15, 9),
    )


PLACEMENT = Page(
    uid="sizewise-placement",
    title="sizewise / Placement and spot",
    description="Where there is room, which GPU model suits which workload, and when spot nodes pay.",
    variables=variables.down_to_workloads(),
    sections=[_glance(), _room(), _suited(), _spot()],
)
