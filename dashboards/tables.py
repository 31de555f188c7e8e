"""Tables whose rows are workloads, and where a row leads."""

from __future__ import annotations

from dashboards.page import link_to
from dashboards.panels import Column
from models.reasons import SENTENCES, Reason

WORKLOAD_UID = "sizewise-workload"
WORKLOAD_COLUMNS = (
    Column("workload", "Workload"),
    Column("container", "Container"),
    Column("namespace", "Namespace"),
    Column("cluster", "Cluster"),
)
TO_WORKLOAD = link_to(WORKLOAD_UID, "This workload", cluster="cluster", namespace="namespace", workload="workload")
REASON_WORDS = {str(reason.name).lower().replace("_", "-"): SENTENCES[reason] for reason in Reason}
CLASS_WORDS = {
    "compute": "compute",
    "memory-bandwidth": "memory bandwidth",
    "memory-pressure": "memory is short",
    "io": "waits for I/O",
    "latency": "latency: nothing is saturated",
    "idle": "idle",
    "insufficient": "signals are missing",
}
