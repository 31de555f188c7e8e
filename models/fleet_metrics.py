"""What /metrics tells of workloads, GPUs, nodes and namespaces: declared here once. Dashboards, alerts and docs may use no
other name.

Values come from the newest snapshot of the view. A value that is not known has no series; it is never 0. Series are bounded:
of workloads, nodes and GPUs only so many are told one by one (api.metrics), those with most at stake first; what
is left out is counted, and it stands in the totals per namespace.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.metrics import MetricKind, MetricSpec

WORKLOAD_LABELS = ("cluster", "namespace", "kind", "workload", "container")
NODE_LABELS = ("cluster", "node")
GPU_LABELS = ("cluster", "node", "gpu")
NAMESPACE_LABELS = ("cluster", "namespace")
UNITS = {"cpu": "cores", "memory": "bytes"}


def _workload(name: str, help: str, *labels: str, kind: MetricKind = "gauge") -> MetricSpec:
    return MetricSpec(f"sizewise_workload_{name}", kind, help, WORKLOAD_LABELS + labels)


def _resources() -> Iterator[MetricSpec]:
    """The same for CPU and memory, each in its own unit."""
    told = {
        "request": "Present request of one instance",
        "limit": "Present limit of one instance",
        "recommended_request": "Request to give one instance",
        "recommended_lower": "A request under this is too small",
        "recommended_upper": "A request over this is waste",
        "recommended_limit": "Limit to give one instance",
        "saving": "What all its instances would give back; negative: they need more",
    }
    for resource, unit in UNITS.items():
        usage = "Usage of one instance: newest value, median, 95th percentile and peak of the evidence window"
        yield _workload(f"{resource}_usage_{unit}", usage, "statistic")
        yield from (_workload(f"{resource}_{name}_{unit}", help) for name, help in told.items())


def _node(name: str, help: str, *labels: str) -> MetricSpec:
    return MetricSpec(f"sizewise_node_{name}", "gauge", help, NODE_LABELS + labels)


def _gpu(name: str, help: str, *labels: str) -> MetricSpec:
    return MetricSpec(f"sizewise_gpu_{name}", "gauge", help, GPU_LABELS + labels)


def _namespaces() -> Iterator[MetricSpec]:
    told = {
        "requested": "Requests of all instances, of workloads whose need is known as well",
        "needed": "Recommended requests of all instances, of workloads whose request is known as well",
        "saving": "Requested less needed where a change is recommended; negative: more is needed",
    }
    for resource, unit in UNITS.items():
        for name, help in told.items():
            yield _namespace(f"{resource}_{name}_{unit}", help)


def _namespace(name: str, help: str) -> MetricSpec:
    return MetricSpec(f"sizewise_namespace_{name}", "gauge", help, NAMESPACE_LABELS)


FLEET_METRICS: tuple[MetricSpec, ...] = (
    # one workload: sizes
    *_resources(),
    _workload(
        "overrun_risk_ratio", "CPU: share of time above the target; memory: chance of a day above it", "resource"
    ),
    _workload("action_info", "Always 1; `action` says what to do about the request", "resource", "action"),
    _workload(
        "reason_info", "Always 1; `reason` is one of the reasons behind the recommendation", "resource", "reason"
    ),
    _workload("confidence_ratio", "Share of the history that policy asks for"),
    _workload("instances", "Instances that the nodes hold now; 1 where no node tells"),
    _workload("last_seen_timestamp_seconds", "End of its newest telemetry"),
    _workload("oom_kills_total", "OOM kills seen", kind="counter"),
    _workload("cpu_throttled_ratio", "Newest share of CFS periods in which its CPU limit stopped it"),
    _workload("pressure_ratio", "Newest share of time in which a task of it waited for the resource (PSI)", "resource"),
    # one workload: what limits it
    _workload(
        "bottleneck_info",
        "Always 1; what limits its CPU side, its GPU side, or (device `all`) the workload as a whole",
        "device",
        "class",
        "io_kind",
    ),
    _workload("bottleneck_confidence_ratio", "How sure the class is", "device"),
    _workload("gpu_info", "Always 1; the GPU that it was last seen on", "gpu_model", "mig"),
    _workload("gpus", "GPUs that one instance used"),
    _workload("gpus_held", "GPUs that its instances hold now; a MIG slice counts by its share of the GPU's compute"),
    _workload("gpu_time_ratio", "Share of its GPU time in each class, newer time weighs more", "class", "io_kind"),
    _workload("gpu_evidence_ratio", "What was compared to find the class; 1 is the ceiling", "evidence"),
    _workload("gpu_counters_ratio", "Share of its GPU time judged by profiling counters, the rest by NVML alone"),
    _workload("gpu_learned_ratio", "Share of its GPU time judged by a taught model"),
    _workload("gpu_activity_ratio", "Mean of a GPU signal that is a ratio, per GPU, newer time weighs more", "signal"),
    _workload("gpu_power_watts", "Mean board power per GPU, newer time weighs more"),
    _workload("gpu_memory_peak_bytes", "Most device memory in use on one GPU in 32 days"),
    # one workload: advice
    _workload(
        "mig_advice_info",
        "Always 1; action: `slice` take mig_profile, `whole` keep the GPU, `probe` measure first, `refused` MIG is no answer",
        "action",
        "mig_profile",
        "probe",
        "reason",
    ),
    _workload("mig_speed_ratio", "Expected speed on the advised slice over that on the whole GPU"),
    _workload(
        "gpu_suited_info",
        "Always 1; the GPU model of its cluster that gives most of what limits it, per dollar where prices are known; "
        "fits: whether it is on it already",
        "suited_model",
        "fits",
    ),
    # nodes
    _node("info", "Always 1; what the node is", "zone", "spot", "gpu_model"),
    _node("cpu_cores", "CPU cores of the node"),
    _node("cpu_free_cores", "CPU cores that a scheduler may hand out and no allocation holds"),
    _node("memory_bytes", "Memory of the node"),
    _node("memory_free_bytes", "Memory that a scheduler may hand out and no allocation holds"),
    _node("gpus", "GPUs of the node"),
    _node("gpus_free", "GPUs that nobody holds and MIG does not cut"),
    _node("gpus_fragmented", "Free GPUs that the next request is expected not to fit, by what is asked for now"),
    _node("price_usd_per_hour", "What the node costs"),
    # GPUs
    _gpu("info", "Always 1; what the GPU is", "gpu_model", "mig"),
    _gpu("memory_bytes", "Device memory"),
    _gpu(
        "holder_info",
        "Always 1; a workload that holds the GPU or a MIG slice of it now",
        "mig_profile",
        *WORKLOAD_LABELS[1:],
    ),
    _gpu("mig_instances", "MIG slices that the GPU is cut into, by whether somebody holds them", "mig_profile", "held"),
    MetricSpec(
        "sizewise_gpu_price_usd_per_hour",
        "gauge",
        "Cheapest hour of one GPU on a node with a price",
        ("cluster", "gpu_model", "spot"),
    ),
    MetricSpec(
        "sizewise_spot_break_even_interruptions_per_hour",
        "gauge",
        "Interruptions per hour up to which spot is cheaper for a day's job with a checkpoint of 60 s and a restart of 120 s",
        ("cluster", "gpu_model"),
    ),
    # totals over all workloads, told one by one or not
    *_namespaces(),
    _namespace("gpus_held", "GPUs that its workloads hold; a MIG slice counts by its share of the GPU's compute"),
    _namespace("gpus_idle", "Those GPUs times the share of their time in which hardly anything ran"),
    _namespace("workloads", "Workloads with a profile"),
    _namespace("requested_usd_per_hour", "Cost of the CPU and memory requested, by the prices of the cluster's nodes"),
    _namespace("saving_usd_per_hour", "Cost of the CPU and memory that recommendations would give back"),
    _namespace(
        "gpus_idle_usd_per_hour", "Cost of gpus_idle, by the prices of the nodes, else the list price of the model"
    ),
    MetricSpec("sizewise_workloads", "gauge", "Workloads by recommended action", ("cluster", "resource", "action")),
    MetricSpec(
        "sizewise_workloads_limited",
        "gauge",
        "Workloads by what limits them",
        ("cluster", "device", "class", "io_kind"),
    ),
    MetricSpec(
        "sizewise_coverage_nodes",
        "gauge",
        "Nodes on which a source sees a signal, or says why it does not",
        ("source", "signal", "seen"),
    ),
    MetricSpec(
        "sizewise_workloads_without_signal",
        "gauge",
        "Workloads of which no source ever gave this CPU signal",
        ("signal",),
    ),
    MetricSpec(
        "sizewise_gpu_workloads_without_evidence",
        "gauge",
        "GPU workloads of which this number cannot be told, because its signals are missing",
        ("evidence",),
    ),
    MetricSpec(
        "sizewise_gpu_workloads",
        "gauge",
        "Workloads with a GPU, by whether profiling counters tell their class",
        ("counters",),
    ),
    # what is left out
    MetricSpec(
        "sizewise_workloads_not_exported",
        "gauge",
        "Workloads over api.metrics.workloads_limit, in the totals alone",
        NAMESPACE_LABELS,
    ),
    MetricSpec("sizewise_nodes_not_exported", "gauge", "Nodes over api.metrics.nodes_limit"),
    MetricSpec("sizewise_gpus_not_exported", "gauge", "GPUs over api.metrics.gpus_limit"),
    MetricSpec("sizewise_namespaces_not_exported", "gauge", "Namespaces over api.metrics.namespaces_limit"),
    MetricSpec("sizewise_fleet_timestamp_seconds", "gauge", "Time of the newest message behind these series"),
)

FLEET_CATALOGUE: dict[str, MetricSpec] = {spec.name: spec for spec in FLEET_METRICS}
