"""What becomes of a pod: golden cases, with the patch applied as the API server applies it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from models.owners import Owner
from models.reasons import Reason
from recommender.admission.advice import SliceAdvice
from recommender.admission.cluster_facts import RangeRule, merged_bounds
from recommender.admission.facts import Bounds, NamespaceFacts
from recommender.admission.mode import Mode
from recommender.admission.settings import PodPolicy
from tests.recommender.admission.pods import GIB, NOW_S, Known, advice, container, pod, resource, reviewed, sizes

GPU_SIZES = sizes({"cpu": "1", "nvidia.com/gpu": "1"}, {"nvidia.com/gpu": "1"})
SLICE = SliceAdvice("nvidia.com/mig-3g.40gb", "3g.40gb", 0.96, ({"zone": "a"},))


def test_apply_sets_requests_and_limits_and_says_what_was_there() -> None:
    """4 cores and 8 GiB come, 1 core and 2 GiB are needed; the CPU limit was twice the request and stays so."""
    made = pod(container(resources=sizes({"cpu": "4", "memory": "8Gi"}, {"cpu": "8"})))
    seen = reviewed(made)
    assert seen.resources() == sizes({"cpu": "1", "memory": "2Gi"}, {"cpu": "2"})
    assert seen.warnings == ["sizewise set main: cpu 4 -> 1 (limit 8 -> 2), memory 8Gi -> 2Gi"]
    assert seen.annotation("applied") == {
        "id": "rec-1",
        "at": "2027-01-15T08:00:00Z",
        "before": {"main": sizes({"cpu": "4", "memory": "8Gi"}, {"cpu": "8"})},
        "after": {"main": sizes({"cpu": "1", "memory": "2Gi"}, {"cpu": "2"})},
    }
    assert seen.audit == {"recommendation-id": "rec-1", "outcome": "applied", "mode": "apply"}


def test_the_patch_names_only_what_changes() -> None:
    """An annotation map is made where there is none; `/` of a key is written `~1`."""
    assert [(op["op"], op["path"]) for op in reviewed(pod()).patch] == [
        ("add", "/spec/containers/0/resources/requests/cpu"),
        ("add", "/spec/containers/0/resources/requests/memory"),
        ("add", "/metadata/annotations"),
        ("add", "/metadata/annotations/sizewise.dev~1applied"),
    ]


def test_recommend_annotates_and_warns_but_sets_nothing() -> None:
    """And what it would set can be read by a program."""
    seen = reviewed(pod(), mode=Mode.RECOMMEND)
    assert seen.resources() == sizes({"cpu": "4", "memory": "8Gi"})
    assert seen.warnings == ["sizewise would set main: cpu 4 -> 1, memory 8Gi -> 2Gi"]
    assert seen.annotation("recommended")["would"] == {
        "main": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {}}
    }
    assert seen.reviewed.entry is None


@pytest.mark.parametrize(
    ("annotations", "mode", "policy", "outcome"),
    [
        (None, Mode.OFF, PodPolicy(), "off"),
        ({"sizewise.dev/mode": "off"}, Mode.APPLY, PodPolicy(), "off"),
        ({"sizewise.dev/mode": "recommend"}, Mode.APPLY, PodPolicy(), "recommended"),
        ({"sizewise.dev/mode": "apply"}, Mode.RECOMMEND, PodPolicy(), "recommended"),  # a pod raises nothing by itself
        ({"sizewise.dev/mode": "apply"}, Mode.RECOMMEND, PodPolicy(pods_may_raise=True), "applied"),
        (None, Mode.APPLY, PodPolicy(ceiling="recommend"), "recommended"),
        (None, Mode.APPLY, PodPolicy(namespaces={"ns": "off"}), "off"),
        (None, Mode.RECOMMEND, PodPolicy(namespaces={"ns": "apply"}), "applied"),
        (None, None, PodPolicy(), "recommended"),  # nobody told the mode: the default of settings
        (None, None, PodPolicy(mode="off"), "off"),
        ({"kubernetes.io/config.mirror": "x"}, Mode.APPLY, PodPolicy(), "mirror-pod"),
    ],
)
def test_modes(annotations: dict[str, str] | None, mode: Mode | None, policy: PodPolicy, outcome: str) -> None:
    """Settings over label over default, all under the ceiling; the pod's own word lowers."""
    assert reviewed(pod(annotations=annotations), policy=policy, mode=mode).reviewed.outcome == outcome


def test_a_mode_that_is_none_leaves_the_pod_alone_and_says_so() -> None:
    """Whoever wrote `appply` meant something."""
    seen = reviewed(pod(annotations={"sizewise.dev/mode": "appply"}))
    assert seen.patch == []
    assert seen.warnings == ["sizewise: sizewise.dev/mode='appply' is not off, recommend or apply"]


def test_the_label_of_a_watched_namespace_is_its_mode() -> None:
    """Where the path of the call does not tell it."""
    known = Known(rules=NamespaceFacts(mode=Mode.APPLY))
    assert reviewed(pod(), known, mode=None).reviewed.outcome == "applied"


def test_nothing_is_changed_where_the_rules_are_not_known() -> None:
    """Before the watch has read a namespace its LimitRange may be anything."""
    seen = reviewed(pod(), Known(rules=None))
    assert seen.reviewed.outcome == "recommended"
    assert seen.warnings[-1] == "sizewise: the rules of namespace ns are not known yet: nothing is changed"


def test_applying_twice_is_applying_once_and_a_sidecar_that_came_between_is_sized() -> None:
    """The second call leaves `main` alone, sizes `proxy`, and keeps what the first one wrote."""
    known = Known({f"c/ns/Deployment/app/{name}": advice() for name in ("main", "proxy")})
    once = reviewed(pod(), known)
    assert reviewed(once.pod, known).patch == []
    once.pod["spec"]["containers"].append(container("proxy"))
    again = reviewed(once.pod, known)
    assert {op["path"] for op in again.patch} == {
        "/spec/containers/1/resources/requests/cpu",
        "/spec/containers/1/resources/requests/memory",
        "/metadata/annotations/sizewise.dev~1applied",
    }
    assert set(again.annotation("applied")["before"]) == {"main", "proxy"}
    assert reviewed(again.pod, known).patch == []


def test_a_step_that_policy_cuts_is_not_taken_twice_in_one_admission() -> None:
    """At most half is taken: 4 to 2, and a second call of the same admission does not go on to 1. A pod made tomorrow
    from that manifest is another admission."""
    policy = PodPolicy(max_lower_ratio=0.5)
    once = reviewed(pod(), policy=policy)
    assert once.resources()["requests"]["cpu"] == "2"
    assert reviewed(once.pod, policy=policy).patch == []
    text = once.pod["metadata"]["annotations"]["sizewise.dev/applied"]
    once.pod["metadata"]["annotations"]["sizewise.dev/applied"] = text.replace("2027-01-15", "2027-01-14")
    assert reviewed(once.pod, policy=policy).resources()["requests"]["cpu"] == "1"


def test_init_containers_are_sized_when_they_are_sidecars_or_policy_says_so() -> None:
    """One that ends before the others start is seen for too short a time to be sized by default."""
    names = ("main", "sidecar", "first")
    known = Known({f"c/ns/Deployment/app/{name}": advice() for name in names})
    made = pod(initContainers=[container("first"), container("sidecar", restartPolicy="Always")])
    by_default, all_of_them = reviewed(made, known), reviewed(made, known, PodPolicy(init_containers=True))
    assert [c["resources"]["requests"]["cpu"] for c in by_default.pod["spec"]["initContainers"]] == ["4", "1"]
    assert [c["resources"]["requests"]["cpu"] for c in all_of_them.pod["spec"]["initContainers"]] == ["1", "1"]


def test_pod_level_resources_are_left_as_they_are() -> None:
    """Containers share them; a container's own request may not outgrow them."""
    seen = reviewed(pod(resources={"requests": {"cpu": "6"}}))
    assert seen.patch == []
    assert seen.warnings == ["sizewise: this pod has pod-level resources: it stays as it is"]


def test_a_pod_of_class_best_effort_stays_one_and_hears_what_it_needs() -> None:
    """A request would make it Burstable."""
    seen = reviewed(pod({"name": "main"}))
    assert seen.patch == []
    assert seen.warnings == ["sizewise: main asks for nothing and stays BestEffort; it needs cpu 1, memory 2Gi"]


def test_a_guaranteed_pod_stays_guaranteed_even_where_that_means_that_nothing_changes() -> None:
    """The LimitRange lets memory have no limit under 4 GiB, its request would go to 2: both or neither."""
    both = {"cpu": "4", "memory": "8Gi"}
    assert reviewed(pod(container(resources=sizes(both, both)))).resources() == sizes(
        {"cpu": "1", "memory": "2Gi"}, {"cpu": "1", "memory": "2Gi"}
    )
    bounded = Known(rules=NamespaceFacts(container={"memory": Bounds(least=Decimal(4 << 30))}))
    found = reviewed(pod(container(resources=sizes(both, both))), bounded).resources()
    assert found == sizes({"cpu": "1", "memory": "4Gi"}, {"cpu": "1", "memory": "4Gi"})


def test_a_burstable_pod_does_not_become_guaranteed() -> None:
    """Memory would be raised to its limit, which stays, and then all were equal."""
    made = pod(container(resources=sizes({"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "2Gi"})))
    seen = reviewed(made, Known({"c/ns/Deployment/app/main": advice(1.0, 4 * GIB)}), PodPolicy(limits="keep"))
    assert seen.patch == []
    assert seen.warnings == ["sizewise left main memory alone: its QoS class would change"]


@pytest.mark.parametrize("overlap", [{"vpaUpdates": "Pod resources updated"}, None])
def test_what_a_vpa_sizes_is_left_to_it(overlap: dict[str, str] | None) -> None:
    """Whether its mark is on the pod, or it is known to target the owner."""
    vpas = frozenset() if overlap else frozenset({Owner("Deployment", "app")})
    assert reviewed(pod(annotations=overlap), Known(vpas=vpas)).patch == []


def test_a_quota_lets_a_request_only_fall() -> None:
    """CPU is counted and would rise: it stays, and the warning says why. Memory is not, and rises."""
    made = pod(container(resources=sizes({"cpu": "100m", "memory": "1Gi"})))
    seen = reviewed(made, Known(rules=NamespaceFacts(counted=frozenset({"cpu"}))))
    assert seen.resources() == sizes({"cpu": "100m", "memory": "2Gi"})
    assert "sizewise left main cpu alone: the ResourceQuota of its namespace counts it: never raised" in seen.warnings


def test_a_limit_range_of_pods_counts_all_containers() -> None:
    """Two containers of 1 core each are under the 3 that a pod must have at least: both keep their 4."""
    known = Known(
        {f"c/ns/Deployment/app/{name}": advice() for name in ("main", "other")},
        rules=NamespaceFacts(pod=merged_bounds([RangeRule("Pod", {"cpu": "3"}, {}, {})])),
    )
    seen = reviewed(pod(container(), container("other")), known)
    assert [c["resources"]["requests"] for c in seen.pod["spec"]["containers"]] == [{"cpu": "4", "memory": "2Gi"}] * 2


def test_a_dry_run_is_patched_and_not_audited() -> None:
    """`kubectl --dry-run=server` shows what would be, and nothing happened."""
    assert reviewed(pod()).reviewed.entry is not None
    dry = reviewed(pod(), dryRun=True)
    assert dry.patch
    assert dry.reviewed.entry is None


def test_a_change_is_told_to_the_audit_trail() -> None:
    """Who asked, which pod, which recommendation, from what to what."""
    entry = reviewed(pod(), userInfo={"username": "jane"}).reviewed.entry
    assert entry is not None
    assert (entry.time_ms, entry.decision, entry.object, entry.namespace) == (
        NOW_S * 1000,
        "applied",
        "ns/app-5d4f8c7b9-*",
        "c/ns",
    )
    assert entry.details == {
        "recommendations": "rec-1",
        "workloads": "c/ns/Deployment/app/main",
        "requested_by": "jane",
        "container main": "cpu 4 -> 1, memory 8Gi -> 2Gi",
    }


def test_without_advice_nothing_is_said() -> None:
    """Nor while the cluster of the log is not known."""
    assert reviewed(pod(), Known({})).reviewed.outcome == "no-data"
    assert reviewed(pod(), Known(cluster="")).reviewed.outcome == "no-data"


def test_a_claim_is_kept() -> None:
    """Of resources only quantities are touched."""
    claimed = sizes({"cpu": "4", "memory": "8Gi"}) | {"claims": [{"name": "gpu"}]}
    assert reviewed(pod(container(resources=claimed))).resources()["claims"] == [{"name": "gpu"}]


@pytest.mark.parametrize("policy", [PodPolicy(gpu="apply"), PodPolicy(gpu="recommend")])
def test_a_slice_takes_the_place_of_a_gpu_where_policy_or_the_pod_says_so(policy: PodPolicy) -> None:
    """The same swap in requests and limits, for they must be equal."""
    asked = {"sizewise.dev/gpu-mode": "apply"} if policy.gpu == "recommend" else None
    seen = reviewed(pod(container(resources=GPU_SIZES), annotations=asked), _with_slice(), policy)
    assert seen.resources() == sizes({"cpu": "1", "nvidia.com/mig-3g.40gb": "1"}, {"nvidia.com/mig-3g.40gb": "1"})
    assert seen.annotation("applied")["before"]["main"] == sizes({"nvidia.com/gpu": "1"}, {"nvidia.com/gpu": "1"})
    assert seen.warnings == ["sizewise set main: nvidia.com/gpu 1 -> 3g.40gb (96% of its speed)"]
    assert reviewed(seen.pod, _with_slice(), policy).patch == []


def test_a_gpu_is_left_alone_by_default() -> None:
    """Not even a word: profiles are not read."""
    assert reviewed(pod(container(resources=GPU_SIZES)), _with_slice()).patch == []


@pytest.mark.parametrize(
    ("spec", "sized", "why"),
    [
        ({}, sizes({"cpu": "1"}, {"nvidia.com/gpu": "2"}), "it asks for more than one"),
        ({"resourceClaims": [{"name": "x"}]}, GPU_SIZES, "this pod has resource claims"),
        ({"nodeSelector": {"zone": "b"}}, GPU_SIZES, "no node that it may run on has such a slice free"),
        ({"nodeName": "n"}, GPU_SIZES, "this pod says itself which nodes it may run on"),
        ({"affinity": {"nodeAffinity": {}}}, GPU_SIZES, None),  # an empty one says nothing
        ({"initContainers": [container("i", GPU_SIZES)]}, GPU_SIZES, "this pod asks for GPUs in more than one way"),
    ],
)
def test_who_keeps_the_gpu(spec: dict[str, object], sized: dict[str, object], why: str | None) -> None:
    """And what is said of it."""
    seen = reviewed(pod(container(resources=sized), **spec), _with_slice(), PodPolicy(gpu="apply"))
    assert (seen.reviewed.outcome == "applied") is (why is None)
    left = f"sizewise left main nvidia.com/gpu (MIG 3g.40gb would do) alone: {why}"
    assert why is None or seen.warnings[0][:119] == left[:119]


def test_a_resource_that_is_held_back_for_a_reason_is_left() -> None:
    """Memory is sized, CPU follows an autoscaler."""
    mixed = replace(advice(), resources=(resource(1.0, Reason.AUTOSCALED), resource(2 * GIB)))
    assert reviewed(pod(), Known({"c/ns/Deployment/app/main": mixed})).resources() == sizes(
        {"cpu": "4", "memory": "2Gi"}
    )


def test_many_containers_do_not_flood_the_terminal() -> None:
    """Eight warnings at most, each of 120 characters at most, the last says how many more."""
    names = [f"{'long' * 15}-{n}" for n in range(12)]
    known = Known({f"c/ns/Deployment/app/{name}": advice() for name in names})
    seen = reviewed(pod(*(container(name) for name in names)), known)
    assert len(seen.warnings) == 8
    assert max(map(len, seen.warnings)) <= 120
    assert seen.warnings[-1] == "sizewise: and 5 more of this pod"


def _with_slice() -> Known:
    return Known({"c/ns/Deployment/app/main": advice(1.0)}, {"c/ns/Deployment/app/main": SLICE})
