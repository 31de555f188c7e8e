"""A job as a scheduler knows it: the question of POST /v1/recommend."""

from __future__ import annotations

import msgspec


class Spot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That it may be interrupted, and what that costs."""

    checkpoint_cost_s: float
    restart_s: float = 0.0
    interruptions_per_hour: float | None = None


class Toleration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """As a pod has it: a taint of a node that the job bears."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Quantities are per member. What is left out is not asked for, or not known; docs/api.md says what each field does."""

    workload: str | None = None
    cluster: str | None = None
    namespace: str = ""
    kind: str = ""
    name: str = ""
    container: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    owner: str = ""
    cpu_cores: float | None = None
    cpu_limit_cores: float | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    gpus: int = 0
    gpu_share_ratio: float = 1.0
    mig_profile: str | None = None
    gpu_models: tuple[str, ...] = ()
    members: int = 1
    run_time_s: float | None = None
    deadline_s: float | None = None
    priority: str = "normal"
    nodes: tuple[str, ...] | None = None
    node_labels: dict[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()
    spot: Spot | None = None
    weights: dict[str, float] | None = None
    limit: int = 10
