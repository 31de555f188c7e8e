"""One page of workloads: the question as the API takes it, and the body of its answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from recommender.api.answers import ACTION_CODES
from recommender.api.render import totals, workload
from recommender.view import Snapshot
from recommender.view_query import SORTS, Query, ask


class NodeQuery(BaseModel):
    """Which nodes."""

    model_config = ConfigDict(extra="forbid")

    cluster: str | None = Field(default=None, description="exact name of the cluster", examples=["prod"])


class WorkloadQuery(BaseModel):
    """Which workloads, in which order."""

    model_config = ConfigDict(extra="forbid")

    cluster: str | None = Field(default=None, description="exact name of the cluster", examples=["prod"])
    namespace: str | None = Field(default=None, description="exact name of the namespace", examples=["shop"])
    kind: str | None = Field(default=None, description="exact kind of the owner", examples=["Deployment"])
    name: str | None = Field(default=None, description="part of the name or container, in any case", examples=["cart"])
    action: str | None = Field(
        default=None, description=f"either resource has this action: {', '.join(ACTION_CODES)}", examples=["lower"]
    )
    reason: str | None = Field(default=None, description="either resource has this reason code", examples=["oom-bump"])
    gpu: bool | None = Field(default=None, description="whether it ever had a GPU", examples=[True])
    min_cpu_saving_cores: float | None = Field(default=None, description="at least this saving, in cores per instance")
    min_memory_saving_bytes: float | None = Field(
        default=None, description="at least this saving, in bytes per instance"
    )
    sort: str = Field(
        default="-saving", description=f"`-` in front sorts downwards; not known comes last: {', '.join(SORTS)}"
    )
    offset: int = Field(default=0, ge=0, le=2**31, description="how many to skip")
    limit: int = Field(default=100, ge=1, description="size of the page")


def workload_page(snapshot: Snapshot, query: WorkloadQuery) -> dict[str, Any]:
    """The body of a WorkloadPage. Raises QueryError for a word that means nothing."""
    found = ask(snapshot, Query(**query.model_dump()))
    end = query.offset + query.limit
    following = query.model_dump(exclude_unset=True) | {"offset": end, "limit": query.limit}
    return {
        "workloads": [workload(snapshot, row) for row in found.rows],
        "total": found.total,
        "offset": query.offset,
        "limit": query.limit,
        "next": f"/v1/workloads?{urlencode(following)}" if end < found.total else None,
        "totals": totals(snapshot, found.places),
    }
