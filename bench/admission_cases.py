"""Reviews made up at random, and a made-up cluster to review them in: as odd as the API allows, in some 100 µs each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from bench.admission_oracle import Rules
from models.owners import Owner
from models.reasons import Action, Reason
from recommender.admission.advice import Advice, ResourceAdvice, SliceAdvice
from recommender.admission.cluster_facts import RangeRule, merged_bounds
from recommender.admission.facts import NamespaceFacts
from recommender.admission.mode import Mode

CPU = ("100m", "250m", "1", "1.5", "2", "4", "0.1", "0", "3e0", "1500000u", "64", "7", "100n", "0.3333")
MEMORY = (
    "64Mi",
    "128Mi",
    "1Gi",
    "1.5Gi",
    "2Gi",
    "8Gi",
    "1G",
    "500M",
    "0",
    "1e9",
    "123456789",
    "64Gi",
    "1k",
    "128974848000m",
)
_OTHER = {"ephemeral-storage": "1Gi", "hugepages-2Mi": "4Mi", "example.com/fpga": "2", "a~b/c~1d": "1"}
_OLD = '{"id":"","at":"2020-01-01T00:00:00Z","before":{},"after":{}}'
_IDLE = (Reason(0), Reason(0), Reason.STALE, Reason.AUTOSCALED, Reason.THROTTLED, Reason.SIGNAL_MISSING)
_SCALES = (1.0, float(1 << 30))
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A review, the mode that its path tells, what is known while it is reviewed, and what holds for it."""

    review: Json
    told: Mode
    world: World
    rules: Rules

    @property
    def pod(self) -> Json:
        pod: Json = self.review["request"]["object"]
        return pod


@dataclass(frozen=True, slots=True)
class World:
    """A book and facts that know one pod's containers, drawn anew for each case."""

    advised: Mapping[str, Advice]
    slice_advice: SliceAdvice | None
    facts: NamespaceFacts | None
    vpa: bool
    cluster: str = "c"

    def advice(self, workload: str) -> Advice | None:
        return self.advised.get(workload.rpartition("/")[2])

    def slice_of(self, workload: str) -> SliceAdvice | None:
        return self.slice_advice

    def namespace(self, name: str) -> NamespaceFacts | None:
        return self.facts

    def parent(self, namespace: str, kind: str, name: str) -> Owner | None:
        return Owner("Rollout", "r") if kind == "ReplicaSet" else None

    def has_vpa(self, namespace: str, owner: Owner) -> bool:
        return self.vpa


def draw(random: Random) -> Case:
    names = [f"c{n}" for n in range(random.choice((1, 1, 1, 2, 2, 3, 5)))]
    equal = random.random() < 0.3  # as a pod of class Guaranteed has it
    containers = [_container(random, name, equal) for name in names]
    init = [_init(random, f"i{n}", equal) for n in range(random.choice((0, 0, 0, 1, 2)))]
    pod = _pod(random, containers, init)
    told = random.choice((Mode.APPLY, Mode.APPLY, Mode.APPLY, Mode.RECOMMEND, Mode.OFF))
    advised = {c["name"]: _advice(random, c["name"]) for c in (*containers, *init) if random.random() < 0.9}
    bounds = {
        name: _bounds(random, sizes) for name, sizes in (("cpu", CPU), ("memory", MEMORY)) if random.random() < 0.25
    }
    counted = frozenset(name for name in ("cpu", "memory", "pods") if random.random() < 0.15)
    facts = None if random.random() < 0.03 else _facts(bounds, counted)
    slice_ = _slice(random) if random.random() < 0.5 else None
    world = World(advised, slice_, facts, random.random() < 0.05)
    own = (pod["metadata"].get("annotations") or {}).get("sizewise.dev/mode")
    mode = _effective(
        told, own, facts is not None, "kubernetes.io/config.mirror" in (pod["metadata"].get("annotations") or {})
    )
    return Case(_review(random, pod), told, world, Rules(bounds, counted, mode))


def encoded(case: Case) -> bytes:
    return json.dumps(case.review).encode()


def mutated(random: Random, body: bytes) -> bytes:
    """The same with a few bytes or values spoilt: what a parser must take without harm."""
    kind = random.randrange(7)
    if kind == 0:
        return body[: random.randrange(len(body))]
    if kind == 1:
        spoilt = bytearray(body)
        for _ in range(random.randint(1, 8)):
            spoilt[random.randrange(len(spoilt))] = random.randrange(256)
        return bytes(spoilt)
    if kind == 2:
        depth = random.choice((50, 101, 500, 5000))
        return body.replace(b'"spec":', b'"deep": ' + b"[" * depth + b"]" * depth + b', "spec":', 1)
    if kind == 3:
        place = random.randrange(len(body))
        return body[:place] + random.choice(_SHARDS) + body[place:]
    return _retyped(random, body)


_SHARDS = (b'"', b"{", b"}", b"[", b"null", b"1e999", b"\\ud800", b"\x00", b"-", b"\xff\xfe", b'"a":' * 20)
_VALUES: tuple[Any, ...] = (
    None,
    0,
    -1,
    1e308,
    "",
    "x",
    [],
    {},
    True,
    [[]],
    {"a": {}},
    "9" * 200,
    "1e99999999",
    "-1",
    "\ud800",
)


def _retyped(random: Random, body: bytes) -> bytes:
    """One value somewhere in the tree becomes another of any type."""
    document = json.loads(body)
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return json.dumps(document).encode()
        key = random.choice(keys)
        inner = place[key]
        if not isinstance(inner, dict | list) or random.random() < 0.15:
            place[key] = random.choice(_VALUES)
            return json.dumps(document).encode()
        place = inner


def _effective(told: Mode, own: str | None, known: bool, mirror: bool) -> str:
    """What a pod's own annotation and the rules of its namespace make of the mode: never more than was told."""
    words = {"off": Mode.OFF, "recommend": Mode.RECOMMEND, "apply": Mode.APPLY}
    mode = told if own is None else min(told, words.get(own, Mode.OFF))
    if mirror:
        return "off"
    return (mode if known else min(mode, Mode.RECOMMEND)).word


def _pod(random: Random, containers: list[Json], init: list[Json]) -> Json:
    metadata: Json = {"labels": {"app": "x", "pod-template-hash": "5d4f8c7b9"}, "unknown": {"kept": [1, {"a": None}]}}
    metadata[random.choice(("name", "generateName"))] = "app-5d4f8c7b9-" + random.choice(("", "x7k2p"))
    if random.random() < 0.7:
        metadata["ownerReferences"] = [{"kind": "ReplicaSet", "name": "app-5d4f8c7b9", "controller": True, "uid": "u"}]
    if random.random() < 0.4:
        metadata["annotations"] = _annotations(random)
    spec: Json = {"containers": containers, "volumes": [{"name": "v"}], "future": {"field": [{}]}}
    if init or random.random() < 0.1:
        spec["initContainers"] = init
    if random.random() < 0.06:
        spec["resources"] = random.choice(({"requests": {"cpu": "1"}}, {"limits": {"memory": "1Gi"}}, {}))
    if random.random() < 0.1:
        spec["nodeSelector"] = {"zone": random.choice("ab")}
    if random.random() < 0.05:
        spec["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": "t"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _annotations(random: Random) -> Json | None:
    choices: tuple[Json | None, ...] = (
        None,
        {},
        {"sizewise.dev/mode": random.choice(("off", "recommend", "apply", "APPLY ", "on", ""))},
        {"sizewise.dev/gpu-mode": "apply"},
        {"vpaUpdates": "Pod resources updated by x"},
        {"kubernetes.io/config.mirror": "m"},
        {
            "sizewise.dev/applied": random.choice(
                ('{"id":"x"}', "{", '{"id":"","at":"2020-01-01T00:00:00Z","before":{},"after":{}}')
            )
        },
        {"a/b~c": "kept"},
    )
    return random.choice(choices)


def _container(random: Random, name: str, equal: bool) -> Json:
    container: Json = {"name": name, "image": "i", "env": [{"name": "A", "value": "b"}]}
    kind = random.random()
    if kind < 0.06:
        return container
    if kind < 0.1:
        return container | {"resources": random.choice(({}, {"requests": None}, {"limits": {}, "requests": {}}))}
    requests: Json = {}
    limits: Json = {}
    for resource, sizes in (("cpu", CPU), ("memory", MEMORY)):
        size = random.choice(sizes)
        if equal or random.random() < 0.8:
            requests[resource] = size
        if equal or random.random() < 0.5:
            limits[resource] = size if equal or random.random() < 0.3 else random.choice(sizes)
    if random.random() < 0.15:
        extra = random.choice(list(_OTHER))
        requests[extra] = limits[extra] = _OTHER[extra]
    if random.random() < 0.2:
        limits["nvidia.com/gpu"] = random.choice(("1", "1", "1", 1, "2"))
        if random.random() < 0.8:
            requests["nvidia.com/gpu"] = limits["nvidia.com/gpu"]
    resources: Json = {
        part: sizes for part, sizes in (("requests", requests), ("limits", limits)) if sizes or random.random() < 0.1
    }
    if random.random() < 0.05:
        resources["claims"] = [{"name": "gpu"}]
    return container | {"resources": resources}


def _init(random: Random, name: str, equal: bool) -> Json:
    sidecar = {"restartPolicy": "Always"} if random.random() < 0.5 else {}
    return _container(random, name, equal) | sidecar


def _advice(random: Random, name: str) -> Advice:
    cpu, memory = (_resource(random, scale) for scale in _SCALES)
    confidence = random.choice((1.0, 1.0, 0.6, 0.2, float("nan")))
    return Advice(f"rec-{name}", f"c/ns/Deployment/app/{name}", confidence, (cpu, memory))


def _resource(random: Random, scale: float) -> ResourceAdvice:
    target = scale * random.choice((random.lognormvariate(0, 2), 0.1, 1.0, 2.0, float("nan"), 1e12, 1e-6))
    low, high = (target * random.uniform(0.5, 1.0), target * random.uniform(1.0, 2.0))
    reasons = random.choice(_IDLE) if random.random() < 0.3 else Reason(0)
    return ResourceAdvice(int(random.choice(list(Action))), int(reasons), target, low, high)


def _slice(random: Random) -> SliceAdvice:
    free: tuple[Mapping[str, str], ...] = random.choice(((), ({},), ({"zone": "a"},)))
    return SliceAdvice("nvidia.com/mig-3g.40gb", "3g.40gb", 0.95, free)


def _bounds(random: Random, sizes: tuple[str, ...]) -> tuple[str | None, str | None, str | None]:
    least, most = (random.choice(sizes) if random.random() < 0.5 else None for _ in range(2))
    return least, most, random.choice((None, None, "1", "1.5", "2", "10"))


def _facts(bounds: Mapping[str, tuple[str | None, str | None, str | None]], counted: frozenset[str]) -> NamespaceFacts:
    rules = [
        RangeRule("Container", *({name: part} if part is not None else {} for part in parts))
        for name, parts in bounds.items()
    ]
    return NamespaceFacts(None, merged_bounds(rules), {}, counted)


def _review(random: Random, pod: Json) -> Json:
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "namespace": "ns",
        "userInfo": {"username": "u", "extra": {"x": ["y"]}},
        "object": pod,
        "oldObject": None,
        "dryRun": random.random() < 0.1,
        "options": {"kind": "CreateOptions"},
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
