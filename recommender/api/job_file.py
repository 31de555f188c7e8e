"""Jobs out of a file: as POST /v1/recommend takes them, or as Kubernetes objects, in YAML or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from models.pod_template import POD_TEMPLATE_OF
from models.quantity import QuantityError, parse_quantity, whole
from recommender.api.decide_body import MOST_JOBS, JobRequest
from recommender.mig.dialects import WHOLE_GPU, mig_profile_of
from recommender.view_query import QueryError

_MIG = "nvidia.com/mig-"
_JOBS = TypeAdapter(list[JobRequest])


def read_jobs(text: str, cluster: str = "") -> list[JobRequest]:
    """Every document of the file; of a Kubernetes object a job for each of its containers. cluster: of those objects.

    Raises QueryError that names the field.
    """
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except (yaml.YAMLError, RecursionError) as error:
        raise QueryError("file", None, f"it is neither YAML nor JSON: {error}".replace("\n", " ")) from error
    jobs = [job for document in documents for job in _jobs(document, cluster)]
    if not 1 <= len(jobs) <= MOST_JOBS:
        raise QueryError("file", len(jobs), f"it holds {len(jobs)} jobs; 1 to {MOST_JOBS} can be answered at once")
    try:
        return _JOBS.validate_python(jobs)
    except ValidationError as error:
        first = error.errors()[0]
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        raise QueryError(path, first.get("input"), first["msg"]) from error


def _jobs(document: Any, cluster: str) -> Iterator[Any]:
    if isinstance(document, list):
        for part in document:
            yield from _jobs(part, cluster)
    elif isinstance(document, Mapping) and "apiVersion" in document:
        if document.get("kind") == "List":
            yield from _jobs(_list(document, "items", "List"), cluster)
        else:
            yield from _of_object(document, cluster)
    else:
        yield document


def _of_object(made: Mapping[str, Any], cluster: str) -> Iterator[dict[str, Any]]:
    kind = str(made.get("kind"))
    if kind not in POD_TEMPLATE_OF:
        raise QueryError("kind", kind, f"of Kubernetes objects these have pods: {', '.join(POD_TEMPLATE_OF)}")
    pod: Any = made
    for key in POD_TEMPLATE_OF[kind]:
        pod = _map(pod, key, kind)
    spec, metadata = _map(pod, "spec", kind), _map(made, "metadata", kind)
    for number, container in enumerate(_list(spec, "containers", kind)):
        where = f"{kind}.containers[{number}]"
        if not isinstance(container, Mapping):
            raise QueryError(where, container, "a container is a map with a name")
        yield {
            "cluster": cluster or None,
            "namespace": metadata.get("namespace", "default"),
            "kind": kind,
            "name": metadata.get("name", ""),
            "container": container.get("name", ""),
            "image": container.get("image", ""),
            "command": container.get("command") or [],
            "args": container.get("args") or [],
            "labels": metadata.get("labels") or {},
            "node_labels": spec.get("nodeSelector") or {},
            "tolerations": spec.get("tolerations") or [],
            **_resources(_map(container, "resources", where) if container.get("resources") else {}, where),
        }


def _resources(resources: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A limit without a request is the request too, as the API server sets it."""
    limits, requests = (_quantities(resources, part, where) for part in ("limits", "requests"))
    asked = {**limits, **requests}
    found: dict[str, Any] = {
        "cpu_cores": asked.get("cpu"),
        "cpu_limit_cores": limits.get("cpu"),
        "memory_bytes": _whole(asked.get("memory")),
        "memory_limit_bytes": _whole(limits.get("memory")),
    }
    slices = [(_profile(name, where), count) for name, count in asked.items() if name.startswith(_MIG)]
    if slices:
        found |= {"mig_profile": slices[0][0], "gpus": _whole(slices[0][1])}
    elif WHOLE_GPU in asked:
        found["gpus"] = _whole(asked[WHOLE_GPU])
    return found


def _profile(resource: str, where: str) -> str:
    if (profile := mig_profile_of(resource)) is None:
        raise QueryError(f"{where}.resources", resource, "a MIG slice is written as nvidia.com/mig-1g.10gb")
    return profile


def _quantities(resources: Mapping[str, Any], part: str, where: str) -> dict[str, Any]:
    found = {}
    for name, value in (_map(resources, part, where) if resources.get(part) else {}).items():
        try:
            found[str(name)] = parse_quantity(value, f"{where}.{part}.{name}")
        except QuantityError as error:
            raise QueryError(error.field, error.value, error.mend) from error
    return found


def _whole(quantity: Any) -> int | None:
    return None if quantity is None else whole(quantity)


def _map(holder: Any, key: str, where: str) -> Mapping[str, Any]:
    found = holder.get(key) if isinstance(holder, Mapping) else None
    if not isinstance(found, Mapping):
        raise QueryError(f"{where}.{key}", found, "it has to be a map, as in the manifests that kubectl takes")
    return found


def _list(holder: Mapping[str, Any], key: str, where: str) -> list[Any]:
    found = holder.get(key) or []
    if not isinstance(found, list):
        raise QueryError(f"{where}.{key}", found, "it has to be a list, as in the manifests that kubectl takes")
    return found
