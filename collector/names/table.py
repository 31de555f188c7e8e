"""The table: every foreign metric that becomes a signal.

Sources: DCGM field ids and spellings from dcgm_fields.h (4.6 renamed the profiling fields, 4.7 added base units) and
dcgm-exporter's default-counters.csv; kubelet /metrics/cadvisor; kube-state-metrics' and node_exporter's metric lists; OpenTelemetry
semantic conventions 1.44 (`.` is written `_` once a metric went through Prometheus).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from collector.names.foreign import Foreign
from models.signals import RowKind

MIB = float(2**20)
PERCENT = 0.01
MHZ = 1e6
_TOTAL_CPU = {"cpu": ("total", "")}  # kubelets before 1.12 had a series per CPU beside it


def _dcgm(field: int, signal: str, *names: str, scale: float = 1.0) -> Foreign:
    return Foreign("dcgm", tuple(f"DCGM_FI_{name}" for name in names), signal, "gpu", "gpu", scale=scale, field=field)


DCGM: tuple[Foreign, ...] = (
    _dcgm(203, "gpu_utilization_ratio", "DEV_GPU_UTIL", scale=PERCENT),
    _dcgm(1613, "gpu_utilization_ratio", "DEV_GPU_UTIL_RATIO"),
    _dcgm(204, "memory_copy_utilization_ratio", "DEV_MEM_COPY_UTIL", scale=PERCENT),
    _dcgm(1614, "memory_copy_utilization_ratio", "DEV_MEMORY_UTIL_RATIO"),
    _dcgm(1001, "graphics_engine_active_ratio", "PROF_GR_ENGINE_UTIL_RATIO", "PROF_GR_ENGINE_ACTIVE"),
    _dcgm(1002, "sm_active_ratio", "PROF_SM_UTIL_RATIO", "PROF_SM_ACTIVE"),
    _dcgm(1003, "sm_occupancy_ratio", "PROF_SM_OCCUPANCY_RATIO", "PROF_SM_OCCUPANCY"),
    _dcgm(1004, "tensor_active_ratio", "PROF_TENSOR_UTIL_RATIO", "PROF_PIPE_TENSOR_ACTIVE"),
    _dcgm(1005, "dram_active_ratio", "PROF_DRAM_UTIL_RATIO", "PROF_DRAM_ACTIVE"),
    _dcgm(1006, "fp64_active_ratio", "PROF_FP64_UTIL_RATIO", "PROF_PIPE_FP64_ACTIVE"),
    _dcgm(1007, "fp32_active_ratio", "PROF_FP32_UTIL_RATIO", "PROF_PIPE_FP32_ACTIVE"),
    _dcgm(1008, "fp16_active_ratio", "PROF_FP16_UTIL_RATIO", "PROF_PIPE_FP16_ACTIVE"),
    _dcgm(1009, "pcie_transmit_bytes_per_s", "PROF_PCIE_TX_BYTES"),
    _dcgm(1010, "pcie_receive_bytes_per_s", "PROF_PCIE_RX_BYTES"),
    _dcgm(1011, "nvlink_transmit_bytes_per_s", "PROF_NVLINK_TX_BYTES"),
    _dcgm(1012, "nvlink_receive_bytes_per_s", "PROF_NVLINK_RX_BYTES"),
    _dcgm(250, "framebuffer_total_bytes", "DEV_FB_TOTAL", scale=MIB),
    _dcgm(1625, "framebuffer_total_bytes", "DEV_FB_CAPACITY_BYTES"),
    _dcgm(252, "framebuffer_used_bytes", "DEV_FB_USED", scale=MIB),
    _dcgm(1627, "framebuffer_used_bytes", "DEV_FB_USED_BYTES"),
    _dcgm(155, "power_watts", "DEV_BOARD_POWER_WATTS", "DEV_POWER_USAGE"),
    _dcgm(164, "power_limit_watts", "DEV_ENFORCED_POWER_LIMIT", "DEV_ENFORCED_POWER_LIMIT_WATTS"),
    _dcgm(100, "sm_clock_hertz", "DEV_SM_CLOCK", scale=MHZ),
    _dcgm(1603, "sm_clock_hertz", "DEV_SM_CLOCK_HERTZ"),
    _dcgm(101, "memory_clock_hertz", "DEV_MEM_CLOCK", scale=MHZ),
    _dcgm(1604, "memory_clock_hertz", "DEV_MEMORY_CLOCK_HERTZ"),
)
"""Fields from 1600 on are those of DCGM 4.7, which says in base units what others say in percent, MHz and MiB; the exporter
shows them by default from 4.9 on. DCGM 4.6 knew GPU_UTIL_RATIO as another word for field 203, in percent; the files that came
with that exporter do not use it."""


def _container(signal: str, name: str, **more: object) -> Foreign:
    return Foreign("cadvisor", (f"container_{name}",), signal, "cpu", "container", **more)  # type: ignore[arg-type]


CADVISOR: tuple[Foreign, ...] = (
    _container("cpu_cores", "cpu_usage_seconds_total", use="rate", only=_TOTAL_CPU),
    _container("memory_working_set_bytes", "memory_working_set_bytes"),
    _container("memory_rss_bytes", "memory_rss"),
    _container(
        "cpu_throttled_ratio",
        "cpu_cfs_throttled_periods_total",
        use="periods",
        over="container_cpu_cfs_periods_total",
    ),
    _container("cpu_pressure_ratio", "pressure_cpu_waiting_seconds_total", use="rate"),
    _container("memory_pressure_ratio", "pressure_memory_waiting_seconds_total", use="rate"),
    _container("io_pressure_ratio", "pressure_io_waiting_seconds_total", use="rate"),
    _container("disk_read_bytes_per_s", "fs_reads_bytes_total", use="rate", sums=True),
    _container("disk_write_bytes_per_s", "fs_writes_bytes_total", use="rate", sums=True),
    Foreign(
        "cadvisor",
        ("container_network_receive_bytes_total",),
        "network_receive_bytes_per_s",
        "cpu",
        "pod",
        use="rate",
        sums=True,
    ),
    Foreign(
        "cadvisor",
        ("container_network_transmit_bytes_total",),
        "network_transmit_bytes_per_s",
        "cpu",
        "pod",
        use="rate",
        sums=True,
    ),
)


def _kube(signal: str, what: str, resource: str) -> Foreign:
    """Since 2.0 one name with the labels `resource` and `unit`; before, a name for each resource."""
    old = {"cpu": "cpu_cores", "memory": "memory_bytes"}[resource]
    names = (f"kube_pod_container_resource_{what}s", f"kube_pod_container_resource_{what}s_{old}")
    return Foreign("kube-state-metrics", names, signal, "cpu", "container", only={"resource": (resource, "")})


KUBE_STATE: tuple[Foreign, ...] = (
    _kube("cpu_request_cores", "request", "cpu"),
    _kube("memory_request_bytes", "request", "memory"),
    _kube("cpu_limit_cores", "limit", "cpu"),
    _kube("memory_limit_bytes", "limit", "memory"),
)


def _machine(signal: str, name: str, **more: object) -> Foreign:
    return Foreign("node-exporter", (f"node_{name}",), signal, "cpu", "machine", **more)  # type: ignore[arg-type]


_BUSY = {"mode": ("user", "system", "nice", "irq", "softirq", "steal")}

NODE_EXPORTER: tuple[Foreign, ...] = (
    _machine("cpu_cores", "cpu_seconds_total", use="rate", only=_BUSY, sums=True),
    _machine("memory_working_set_bytes", "memory_MemTotal_bytes", use="rest", over="node_memory_MemAvailable_bytes"),
    _machine("cpu_pressure_ratio", "pressure_cpu_waiting_seconds_total", use="rate"),
    _machine("memory_pressure_ratio", "pressure_memory_waiting_seconds_total", use="rate"),
    _machine("io_pressure_ratio", "pressure_io_waiting_seconds_total", use="rate"),
    _machine("disk_read_bytes_per_s", "disk_read_bytes_total", use="rate", sums=True),
    _machine("disk_write_bytes_per_s", "disk_written_bytes_total", use="rate", sums=True),
    _machine("network_receive_bytes_per_s", "network_receive_bytes_total", use="rate", sums=True),
    _machine("network_transmit_bytes_per_s", "network_transmit_bytes_total", use="rate", sums=True),
)


def _otel(signal: str, name: str, kind: RowKind = "cpu", **more: object) -> Foreign:
    names = (name, name.replace(".", "_"))
    of = "gpu" if kind == "gpu" else "pod" if name.startswith("k8s.pod") else "container"
    return Foreign("opentelemetry", names, signal, kind, of, **more)  # type: ignore[arg-type]


OPENTELEMETRY: tuple[Foreign, ...] = (
    _otel("cpu_cores", "container.cpu.time", use="rate", sums=True),
    _otel("cpu_cores", "container.cpu.usage"),
    _otel("memory_working_set_bytes", "container.memory.working_set"),
    _otel("memory_rss_bytes", "container.memory.rss"),
    _otel("cpu_request_cores", "k8s.container.cpu_request"),
    _otel("cpu_limit_cores", "k8s.container.cpu_limit"),
    _otel("memory_request_bytes", "k8s.container.memory_request"),
    _otel("memory_limit_bytes", "k8s.container.memory_limit"),
    _otel("network_receive_bytes_per_s", "k8s.pod.network.io", use="rate", only={"direction": ("receive",)}, sums=True),
    _otel(
        "network_transmit_bytes_per_s", "k8s.pod.network.io", use="rate", only={"direction": ("transmit",)}, sums=True
    ),
    _otel("gpu_utilization_ratio", "hw.gpu.utilization", "gpu", only={"hw.gpu.task": ("general", "")}),
    _otel("framebuffer_used_bytes", "hw.gpu.memory.usage", "gpu"),
    _otel("framebuffer_total_bytes", "hw.gpu.memory.limit", "gpu"),
)

TABLE: tuple[Foreign, ...] = (*DCGM, *CADVISOR, *KUBE_STATE, *NODE_EXPORTER, *OPENTELEMETRY)


def by_name(table: Iterable[Foreign] = TABLE) -> Mapping[str, tuple[Foreign, ...]]:
    """Every spelling, and what it may mean; several when labels decide (`Foreign.accepts`)."""
    found: dict[str, list[Foreign]] = {}
    for foreign in table:
        for name in foreign.names:
            found.setdefault(name, []).append(foreign)
    return {name: tuple(meanings) for name, meanings in found.items()}


def foreign_by_name(name: str, labels: Mapping[str, str]) -> Foreign | None:
    """What a series means to us; None: nothing."""
    return next((foreign for foreign in _BY_NAME.get(name, ()) if foreign.accepts(labels)), None)


_BY_NAME = by_name()
