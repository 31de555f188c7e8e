"""What must hold of every answer of the webhook, judged without a line of its code: quantities, QoS class, JSON Patch and
the rules of the API server are written here once more, from Kubernetes' own sources."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

Json = dict[str, Any]
_SUFFIX = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_QUANTITY = re.compile(r"^([+-]?[0-9.]+)([A-Za-z]{0,2}|[eE][+-]?[0-9]+)$")
_PATHS = re.compile(
    r"^(/spec/(containers|initContainers)/\d+/resources(/(requests|limits)(/[^/]+)?)?|/metadata/annotations(/[^/]+)?)$"
)
_OURS = ("sizewise.dev/applied", "sizewise.dev/recommended")


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds in the namespace: container bounds by resource as (least, most, ratio), and what a quota counts."""

    bounds: Mapping[str, tuple[str | None, str | None, str | None]]
    counted: frozenset[str]
    mode: str


def answer_of(body: bytes) -> tuple[Json, list[Json]]:
    """The response and the operations of its patch."""
    response = json.loads(body)["response"]
    patch = json.loads(base64.b64decode(response["patch"])) if "patch" in response else []
    return response, patch


def faults(pod: Json, body: bytes, uid: str, rules: Rules) -> Iterator[str]:
    """What is wrong with an answer to the creation of `pod`; nothing where all is well."""
    response, patch = answer_of(body)
    if response.get("allowed") is not True:
        yield "refused"
    if response.get("uid") != uid:
        yield "another uid"
    if any(len(warning) > 120 for warning in response.get("warnings", ())) or len(response.get("warnings", ())) > 8:
        yield "warnings too long or too many"
    if not patch:
        return
    after = applied(pod, patch)
    yield from _foreign(pod, after, patch)
    yield from _sizes(pod, after)
    yield from _rules(pod, after, rules)
    if qos(pod) != qos(after):
        yield f"QoS class {qos(pod)} became {qos(after)}"


def applied(document: Json, patch: Sequence[Json]) -> Json:
    """RFC 6902 for add and remove of members of objects, strictly: what must be there is there."""
    result = copy.deepcopy(document)
    for op in patch:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in op["path"].split("/")[1:]]
        place: Any = result
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if not isinstance(place, dict):
            raise TypeError(f"{op['path']} is in no object")
        if op["op"] == "add":
            place[last] = copy.deepcopy(op["value"])
        elif op["op"] == "remove":
            del place[last]
        else:
            raise ValueError(f"operation {op['op']}")
    return result


def qos(pod: Json) -> str:
    """pkg/apis/core/v1/helper/qos/qos.go, after the defaulting of requests by limits."""
    requests: dict[str, Fraction] = {}
    limits: dict[str, Fraction] = {}
    guaranteed = True
    for container in _containers(pod):
        found = 0
        for name in ("cpu", "memory"):
            request, limit = _pair(container, name)
            if request > 0:
                requests[name] = requests.get(name, Fraction(0)) + request
            if limit > 0:
                limits[name] = limits.get(name, Fraction(0)) + limit
                found += 1
        guaranteed &= found == 2
    if not requests and not limits:
        return "BestEffort"
    same = all(name in limits and limits[name] == value for name, value in requests.items())
    return "Guaranteed" if guaranteed and same and len(requests) == len(limits) else "Burstable"


def value_of(quantity: Any) -> Fraction:
    """A quantity exactly, then rounded away from zero to a billionth, as the API server stores it."""
    match = _QUANTITY.match(str(quantity))
    if match is None:
        raise ValueError(f"quantity {quantity!r}")
    number, suffix = Fraction(match[1]), match[2]
    if suffix in _BINARY:
        number *= 1 << _BINARY[suffix]
    elif suffix[:1] in ("e", "E") and len(suffix) > 1:
        number *= Fraction(10) ** max(-400, min(int(suffix[1:]), 400))  # beyond it all is the same, and takes for ever
    else:
        number *= Fraction(10) ** _SUFFIX[suffix]
    scaled = min(abs(number), Fraction(2**63 - 1)) * 10**9
    return Fraction(-(-scaled.numerator // scaled.denominator), 10**9) * (1 if number >= 0 else -1)


def _foreign(before: Json, after: Json, patch: Sequence[Json]) -> Iterator[str]:
    """What is not ours to touch: every path but quantities and annotations, every map and array as a whole."""
    for op in patch:
        if not _PATHS.match(op["path"]):
            yield f"touches {op['path']}"
        elif isinstance(op.get("value"), list) or (op.get("value") and not isinstance(op["value"], str)):
            yield f"replaces {op['path']}"
    if _without_ours(before) != _without_ours(after):
        yield "something else changed"


def _without_ours(pod: Json) -> Json:
    """The pod without quantities and without our annotations; empty maps count as none."""
    bare = copy.deepcopy(pod)
    metadata = bare.get("metadata") or {}
    annotations = {k: v for k, v in (metadata.pop("annotations", None) or {}).items() if k not in _OURS}
    bare["metadata"] = {**metadata, "annotations": annotations}
    for container in _containers(bare):
        resources = container.pop("resources", None) or {}
        container["rest"] = {k: v for k, v in resources.items() if k not in ("requests", "limits")}
        for part in ("requests", "limits"):
            known = (resources.get(part) or {}).items()
            container[part] = {k: v for k, v in known if k not in ("cpu", "memory") and not k.startswith("nvidia.com/")}
    return bare


def _sizes(before: Json, after: Json) -> Iterator[str]:
    for old, new in zip(_containers(before), _containers(after), strict=True):
        for name in _names(new):
            if _texts(old, name) == _texts(new, name):
                continue
            request, limit = _pair(new, name)
            was_request, was_limit = _pair(old, name)
            if limit and request > limit and not (was_limit and was_request > was_limit):
                yield f"{name}: request {request} over limit {limit}"
            if "/" in name and (request != limit or request.denominator != 1):
                yield f"{name}: extended resource with request {request} and limit {limit}"


def _rules(before: Json, after: Json, rules: Rules) -> Iterator[str]:
    if rules.mode != "apply":
        if [c.get("resources") for c in _containers(before)] != [c.get("resources") for c in _containers(after)]:
            yield f"sizes changed in mode {rules.mode}"
        return
    whole = (before.get("spec") or {}).get("resources") or {}
    for old, new in zip(_containers(before), _containers(after), strict=True):
        for name in ("cpu", "memory"):
            was, now = _pair(old, name), _pair(new, name)
            if was == now:
                continue
            if whole.get("requests") or whole.get("limits"):
                yield f"{name} changed beside pod-level resources"
            if name in rules.counted and (now[0] > was[0] or now[1] > was[1]):
                yield f"{name} was raised under a quota"
            yield from _outside(name, now, rules)


def _outside(name: str, now: tuple[Fraction, Fraction], rules: Rules) -> Iterator[str]:
    """pkg plugin limitranger, type Container."""
    least, most, ratio = rules.bounds.get(name, (None, None, None))
    request, limit = now
    if least is not None and (request < value_of(least) or (limit and limit < value_of(least))):
        yield f"{name} under the LimitRange"
    if most is not None and max(request, limit) > value_of(most):
        yield f"{name} over the LimitRange"
    if ratio is not None and limit and limit > request * value_of(ratio):
        yield f"{name} steeper than the LimitRange"


def _containers(pod: Json) -> list[Json]:
    spec = pod.get("spec") or {}
    return [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]


def _names(container: Json) -> set[str]:
    resources = container.get("resources") or {}
    return {name for part in ("requests", "limits") for name in resources.get(part) or ()}


def _texts(container: Json, name: str) -> list[Any]:
    resources = container.get("resources") or {}
    return [(resources.get(part) or {}).get(name) for part in ("requests", "limits")]


def _pair(container: Json, name: str) -> tuple[Fraction, Fraction]:
    """Request and limit; 0 for none, and a limit alone is the request too."""
    request, limit = _texts(container, name)
    size = value_of(limit) if limit is not None else Fraction(0)
    return (value_of(request) if request is not None else size), size
