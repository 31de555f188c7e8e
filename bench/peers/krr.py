"""KRR's questions to Prometheus, strategy `simple` at its defaults, as robusta_krr/core/integrations/prometheus asks
them: discovery of each object's pods, deleted ones too, then four metrics, each as one instant query over 14 days.

Left out, in KRR's favour: the Kubernetes API, the arithmetic of the answers, and --use_oomkill_data.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from prometheus_api_client.prometheus_connect import PrometheusConnect  # noqa: TID251  # KRR asks through this client
from requests import Session
from requests.adapters import HTTPAdapter

WORKERS = 6
_PERIOD, _STEP = "14d", "1m"
"""336 h and 75 s, as KRR's `_step_to_string` writes them: whole days and whole minutes, rounded down."""


Found = Mapping[str, Mapping[str, str]]
Query = Callable[[str], Sequence[Found]]


@dataclass(frozen=True, slots=True)
class Object:
    """A container of a Deployment."""

    namespace: str
    deployment: str
    container: str


@dataclass(frozen=True, slots=True)
class Asked:
    """wall_s: until the last answer was read; queries: how many; answered: objects with a value of every metric"""

    wall_s: float
    queries: int
    answered: int


def ask(url: str, objects: Sequence[Object], at_s: float) -> Asked:
    """Ask about every object with KRR's six workers."""
    connect = PrometheusConnect(url)
    connect._session = Session()  # as KRR does, to give it a pool of ten
    connect._session.mount(url, HTTPAdapter(pool_maxsize=10, pool_block=True))

    def query(text: str) -> list[Found]:
        found: list[Found] = connect.custom_query(text, {"time": at_s})
        return found

    def one(asked: Object) -> tuple[int, bool]:
        pods, discovery = _pods(asked, query)
        answers = [query(text) for text in metric_queries(asked, pods)]
        return discovery + len(answers), all(answers)

    began = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        done = list(pool.map(one, objects))
    wall_s = time.perf_counter() - began
    connect.close()
    return Asked(wall_s, sum(count for count, _ in done), sum(answered for _, answered in done))


def _pods(asked: Object, query: Query) -> tuple[list[str], int]:
    """Pods of a Deployment in the period, by its ReplicaSets; and how many questions that took."""
    owner = f'owner_name="{asked.deployment}",owner_kind="Deployment",namespace="{asked.namespace}"'
    sets = {found["metric"]["replicaset"] for found in query(f"kube_replicaset_owner{{{owner}}}[{_PERIOD}]")}
    regex = "|".join(sorted(sets))
    of_sets = f'owner_name=~"{regex}",owner_kind="ReplicaSet",namespace="{asked.namespace}"'
    pods = sorted(found["metric"]["pod"] for found in query(f"last_over_time(kube_pod_owner{{{of_sets}}}[{_PERIOD}])"))
    running = f'phase="Running",pod=~"{"|".join(pods)}",namespace="{asked.namespace}"'
    query(f"kube_pod_status_phase{{{running}}} == 1")
    return pods, 3


def metric_queries(asked: Object, pods: Sequence[str]) -> list[str]:
    """PercentileCPULoader(95), CPUAmountLoader, MaxMemoryLoader, MemoryAmountLoader."""
    where = f'namespace="{asked.namespace}",pod=~"{"|".join(pods)}",container="{asked.container}"'
    cpu, memory = f"container_cpu_usage_seconds_total{{{where}}}", f"container_memory_working_set_bytes{{{where}}}"
    over = f"by (container, pod, job) [{_PERIOD}:{_STEP}]"
    return [
        f"quantile_over_time(0.95, max(rate({cpu}[{_STEP}])) {over})",
        f"count_over_time(max({cpu}) {over})",
        f"max_over_time(max({memory}) {over})",
        f"count_over_time(max({memory}) {over})",
    ]
