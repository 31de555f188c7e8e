"""What /metrics tells of a small fleet, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.bottleneck import Bottleneck
from models.fleet_metrics import FLEET_CATALOGUE
from models.hardware.discovered import DiscoveredProfile
from models.hardware.discovery import code_of
from models.inventory import Allocation, Coverage, Gpu, MigInstance, Node
from models.metrics import CATALOGUE, NullMeter
from models.peak16 import to_peak16
from models.profile import GPU_SIGNALS_KEPT
from models.reasons import Action, Reason
from recommender.exposition.market import break_even
from recommender.exposition.publish import FleetSeries
from recommender.exposition.settings import ExpositionSettings
from recommender.mig.choose import SlicePolicy
from recommender.placement.job import Checkpointing
from recommender.placement.spot import plan_spot
from recommender.view import Snapshot, View
from tests.recommender.api.nodes import GIB, H100, cut, gpu_node
from tests.recommender.exposition.scraped import Series, scraped, value
from tests.recommender.view_columns import slab, snapshot

CART, IDLE = "prod/shop/Deployment/cart/server", "prod/ml/Job/train/main"


def series(taken: Snapshot, **limits: int) -> dict[str, Series]:
    made = FleetSeries(View(), ExpositionSettings(**limits), SlicePolicy(), NullMeter(), lambda: 0.0)
    return scraped(made.make(taken))


def cart(**values: object) -> Snapshot:
    """Two instances that ask for 4 cores and 8 GiB each and need 1 core and 6 GiB."""
    profile = {"signal_count": 5, "rows": 9, "oom_kills": 2, "signal_last": [[0.5] * 16], "cpu_bottleneck": 8}
    told = {
        "action": [[Action.LOWER, Action.LOWER]],
        "reasons": [[Reason.PERCENTILE | Reason.MARGIN, Reason.PEAK]],
        "request_now": [[4.0, 8 * GIB]],
        "target": [[1.0, 6 * GIB]],
        "usage_p95": [[0.8, 5 * GIB]],
        "overrun_risk_ratio": [[0.02, np.nan]],
    }
    node = Node(
        "prod",
        "n1",
        1,
        cpu_cores=16,
        memory_bytes=30 * GIB,
        price_usd_per_hour=2.0,
        allocations=tuple(Allocation(CART, f"cart-{n}", 4.0, 8 * GIB) for n in range(2)),
        coverage=(Coverage("cgroup", "cpu_cores", True), Coverage("psi", "cpu_pressure_ratio", False, "psi=1")),
    )
    taken = snapshot(slab([CART], profile, **(told | values)))
    return Snapshot(taken.slabs, {"prod/n1": node}, (), 5000)


def test_sizes_are_per_instance_and_savings_of_all_instances() -> None:
    """3 cores and 2 GiB less for each of two instances."""
    found = series(cart())
    cpu = {name: value(found, f"sizewise_workload_cpu_{name}_cores", workload="cart") for name in ("request", "saving")}
    assert cpu == {"request": 4.0, "saving": 6.0}
    assert value(found, "sizewise_workload_memory_saving_bytes") == 4 * GIB
    assert value(found, "sizewise_workload_cpu_recommended_request_cores") == 1.0
    assert value(found, "sizewise_workload_cpu_usage_cores", statistic="p95") == 0.8
    assert value(found, "sizewise_workload_cpu_usage_cores", statistic="last") == 0.5
    assert value(found, "sizewise_workload_instances") == 2
    assert value(found, "sizewise_workload_oom_kills_total") == 2
    name = {"cluster": "prod", "namespace": "shop", "kind": "Deployment", "workload": "cart", "container": "server"}
    assert value(found, "sizewise_workload_confidence_ratio", **name) == 0.5


def test_what_is_not_known_has_no_series() -> None:
    """No limit is known, and no memory risk."""
    found = series(cart())
    assert "sizewise_workload_cpu_limit_cores" not in found
    assert value(found, "sizewise_workload_overrun_risk_ratio", resource="cpu") == pytest.approx(0.02)
    assert value(found, "sizewise_workload_overrun_risk_ratio", resource="memory") is None


def test_action_and_reasons_are_labels() -> None:
    """One series per resource for the action, one per reason."""
    found = series(cart())
    assert value(found, "sizewise_workload_action_info", resource="cpu", action="lower") == 1
    reasons = {(dict(k)["resource"], dict(k)["reason"]) for k in found["sizewise_workload_reason_info"]}
    assert reasons == {("cpu", "percentile"), ("cpu", "margin"), ("memory", "peak")}
    assert value(found, "sizewise_workloads", cluster="prod", resource="memory", action="lower") == 1


def test_before_the_first_recommendation_nothing_is_recommended() -> None:
    """The profile is there, the recommender has not come to it: no action, no confidence."""
    found = series(cart(computed_ms=0))
    assert not {"sizewise_workload_action_info", "sizewise_workload_confidence_ratio"} & set(found)
    assert value(found, "sizewise_workload_instances") == 2


def test_totals_of_a_namespace_and_their_cost() -> None:
    """2 x 4 cores requested, 6 saved. The node costs 2 USD for 16 cores and 30 GiB, which count as 4 cores: 0.1 USD a core.
    The saving is 6 cores and 4 GiB: 6.533 cores."""
    found = series(cart())
    assert value(found, "sizewise_namespace_cpu_requested_cores", namespace="shop") == 8.0
    assert value(found, "sizewise_namespace_cpu_saving_cores") == 6.0
    assert value(found, "sizewise_namespace_cpu_needed_cores") == 2.0
    assert value(found, "sizewise_namespace_saving_usd_per_hour") == pytest.approx(0.1 * (6 + 4 / 7.5))
    assert value(found, "sizewise_namespace_requested_usd_per_hour") == pytest.approx(0.1 * (8 + 16 / 7.5))


def test_coverage_of_signals() -> None:
    """By nodes: what a source sees and what it does not. By workloads: one of them has every CPU signal."""
    found = series(cart())
    assert value(found, "sizewise_coverage_nodes", source="cgroup", signal="cpu_cores", seen="true") == 1
    assert value(found, "sizewise_coverage_nodes", source="psi", signal="cpu_pressure_ratio", seen="false") == 1
    assert value(found, "sizewise_workloads_without_signal", signal="cpu_cores") == 0
    bare = series(snapshot(slab([CART])))
    assert value(bare, "sizewise_workloads_without_signal", signal="cpu_cores") == 1


def gpu_profile(**values: object) -> dict[str, object]:
    """An H100 workload that was idle for three quarters of its time; 20 GiB of device memory."""
    seconds, means = np.zeros((1, 10)), np.zeros((1, len(GPU_SIGNALS_KEPT)))
    seconds[0, [Bottleneck.IDLE, Bottleneck.COMPUTE]] = 30.0, 10.0
    for name, mean in {
        "gpu_utilization_ratio": 0.3,
        "memory_copy_utilization_ratio": 0.1,
        "power_watts": 200.0,
        "power_limit_watts": 700.0,
        "framebuffer_used_bytes": 15 * GIB,
    }.items():
        means[0, GPU_SIGNALS_KEPT.index(name)] = mean
    peaks = np.zeros((1, 32), dtype=np.uint16)
    peaks[0, 3] = to_peak16(np.array([20.0 * GIB], dtype=np.float32))[0]
    told = {
        "gpu_last_seen_ms": 9000, "gpu_class_seconds": seconds, "gpu_count": 1, "gpu_model": code_of(H100),
        "gpu_signal_sum": means, "gpu_signal_weight": (means > 0).astype(np.float64), "gpu_framebuffer_peak": peaks,
        "gpu_bottleneck": Bottleneck.IDLE, "gpu_bottleneck_confidence": 0.9, "gpu_evidence": [[0.3, np.nan, 0.1, 0, 0, 0.2]],
    }  # fmt: skip
    return told | values


def training(**values: object) -> Snapshot:
    """The job on one of two GPUs of a node for 16 USD an hour, half of them each."""
    node = gpu_node("g1", 2, H100, price_usd_per_hour=16.0, spot=False)
    node = Node(
        "prod", "g1", 1, cpu_cores=16, memory_bytes=64 * GIB, gpus=node.gpus, price_usd_per_hour=16.0,
        allocations=(Allocation(IDLE, "train-0", 8.0, 32 * GIB, ("g1-0",)),), spot=False,
    )  # fmt: skip
    taken = snapshot(slab([IDLE], gpu_profile(**values)))
    return Snapshot(taken.slabs, {"prod/g1": node}, (), 5000)


def test_what_gpus_do_and_what_they_cost_idle() -> None:
    """Three quarters of one GPU of 8 USD an hour idle: 6 USD."""
    found = series(training())
    assert value(found, "sizewise_workload_gpu_time_ratio", **{"class": "idle"}) == 0.75
    assert value(found, "sizewise_workload_bottleneck_info", device="gpu", **{"class": "idle"}, io_kind="none") == 1
    assert value(found, "sizewise_workload_bottleneck_confidence_ratio", device="gpu") == pytest.approx(0.9)
    assert value(found, "sizewise_workload_gpu_info", gpu_model="H100-SXM-80", mig="false") == 1
    assert value(found, "sizewise_workload_gpus_held") == 1
    assert value(found, "sizewise_workload_gpu_activity_ratio", signal="gpu_utilization_ratio") == pytest.approx(0.3)
    assert value(found, "sizewise_workload_gpu_power_watts") == 200
    assert value(found, "sizewise_workload_gpu_memory_peak_bytes") == pytest.approx(20 * GIB, rel=0.01)
    assert value(found, "sizewise_workload_gpu_evidence_ratio", evidence="compute_ratio") is None
    assert value(found, "sizewise_namespace_gpus_idle", namespace="ml") == 0.75
    assert value(found, "sizewise_namespace_gpus_idle_usd_per_hour") == 6.0
    assert value(found, "sizewise_gpu_workloads_without_evidence", evidence="compute_ratio") == 1
    assert value(found, "sizewise_workloads_limited", device="gpu", **{"class": "idle"}) == 1


def test_advice_for_a_gpu_workload() -> None:
    """A slice may be fast enough, which on an H100 is not certain: 3g is to be tried. H100 is the only model of its cluster."""
    found = series(training())
    (advice,) = found["sizewise_workload_mig_advice_info"]
    assert (dict(advice)["action"], dict(advice)["probe"]) == ("probe", "3g.40gb")
    assert value(found, "sizewise_workload_mig_speed_ratio") == 1
    assert value(found, "sizewise_workload_gpu_suited_info", suited_model="H100-SXM-80", fits="true") == 1


def test_nodes_and_gpus() -> None:
    """One of two GPUs is held; a job takes one GPU with 8 cores, so that the free one is of use."""
    found = series(training())
    held = found["sizewise_gpu_holder_info"]
    assert [(dict(key)["gpu"], dict(key)["workload"]) for key in held] == [("g1-0", "train")]
    assert value(found, "sizewise_node_gpus") == 2
    assert value(found, "sizewise_node_gpus_free") == 1
    assert value(found, "sizewise_node_gpus_fragmented") == 0
    assert value(found, "sizewise_node_cpu_free_cores") == 8
    assert value(found, "sizewise_node_info", spot="false", gpu_model="H100-SXM-80") == 1


def test_mig_slices_of_a_gpu() -> None:
    """Two 3g slices, one held; the holder has 3/7 of the GPU."""
    gpu = cut("g", ("3g.40gb", 0), ("3g.40gb", 4))
    node = Node("prod", "n", 1, gpus=(gpu,), allocations=(Allocation(IDLE, "i", gpu_uuids=("g/3g.40gb@0",)),))
    taken = snapshot(slab([IDLE], gpu_profile(gpu_sliced=1)))
    found = series(Snapshot(taken.slabs, {"prod/n": node}, (), 5000))
    assert value(found, "sizewise_gpu_mig_instances", mig_profile="3g.40gb", held="true") == 1
    assert value(found, "sizewise_gpu_mig_instances", mig_profile="3g.40gb", held="false") == 1
    assert value(found, "sizewise_gpu_holder_info", mig_profile="3g.40gb", workload="train") == 1
    assert value(found, "sizewise_namespace_gpus_held", namespace="ml") == pytest.approx(3 / 7)


def test_prices_and_when_spot_pays() -> None:
    """8 GPUs for 16 and for 8 USD: 2 and 1 USD each. At the break-even a day's job costs the same on both."""
    nodes = [gpu_node("a", price_usd_per_hour=16.0), gpu_node("b", price_usd_per_hour=8.0, spot=True)]
    found = series(Snapshot({}, {n.name: n for n in nodes}, (), 1))
    assert value(found, "sizewise_gpu_price_usd_per_hour", spot="true", gpu_model="A100-SXM-80") == 1.0
    rate = value(found, "sizewise_spot_break_even_interruptions_per_hour", gpu_model="A100-SXM-80")
    assert rate is not None
    assert plan_spot(86_400, Checkpointing(60, 120), rate, 1.0).cost_usd == pytest.approx(2.0 * 24, rel=1e-6)
    assert break_even(2.0, 2.0) == 0.0


def test_only_so_many_workloads_are_told_and_those_with_most_at_stake() -> None:
    """Of 20 workloads that could give back 0 to 19 cores the top 5 are told; the other 15 stand in the totals."""
    ids = [f"prod/ns{n % 2}/Deployment/w{n}/c" for n in range(20)]
    sizes = {"request_now": [[1.0 + n, GIB] for n in range(20)], "target": [[1.0, GIB]] * 20}
    found = series(snapshot(slab(ids, action=Action.LOWER, **sizes)), workloads_limit=5)
    told = {dict(key)["workload"] for key in found["sizewise_workload_cpu_saving_cores"]}
    assert told == {f"w{n}" for n in range(15, 20)}
    assert value(found, "sizewise_workloads_not_exported", namespace="ns0") == 8
    assert value(found, "sizewise_workloads_not_exported", namespace="ns1") == 7
    assert value(found, "sizewise_namespace_cpu_saving_cores", namespace="ns0") == sum(range(0, 20, 2))


def test_a_told_workload_stays_until_others_have_a_fifth_more_at_stake() -> None:
    """10 cores against 11: it stays. Against 13 it goes."""
    made = FleetSeries(View(), ExpositionSettings(workloads_limit=1), SlicePolicy(), NullMeter(), lambda: 0.0)

    def told(*cores: float) -> str:
        sizes = {"request_now": [[1 + c, GIB] for c in cores], "target": [[1.0, GIB]] * 2}
        ids = [f"prod/ns/Deployment/w{n}/c" for n in range(2)]
        found = scraped(made.make(snapshot(slab(ids, action=Action.LOWER, **sizes))))
        (key,) = found["sizewise_workload_cpu_saving_cores"]
        return dict(key)["workload"]

    assert [told(10, 9), told(10, 11), told(10, 13)] == ["w0", "w0", "w1"]


def test_nodes_gpus_and_namespaces_are_bounded_too() -> None:
    """Two nodes of two GPUs and two namespaces, told to one each; the rest is counted."""
    nodes = {f"n{n}": gpu_node(f"n{n}", 2) for n in range(2)}
    ids = ["prod/a/Deployment/x/c", "prod/a/Deployment/y/c", "prod/b/Deployment/z/c"]
    taken = Snapshot(snapshot(slab(ids)).slabs, nodes, (), 1)
    found = series(taken, nodes_limit=1, gpus_limit=1, namespaces_limit=1)
    left = {name: value(found, f"sizewise_{name}_not_exported") for name in ("nodes", "gpus", "namespaces")}
    assert left == {"nodes": 1, "gpus": 3, "namespaces": 1}
    assert value(found, "sizewise_namespace_workloads", namespace="a") == 2
    assert len(found["sizewise_gpu_info"]) == len(found["sizewise_node_info"]) == 1


def test_foreign_names_and_an_empty_view() -> None:
    """An id that is none of ours keeps its text as the workload's name; nothing at all is no error."""
    found = series(snapshot(slab(['odd "id"'])))
    assert value(found, "sizewise_workload_instances", workload='odd "id"', cluster="") == 1
    assert "sizewise_workload_instances" not in series(Snapshot())


def test_a_workload_in_two_slabs_is_told_once() -> None:
    """As after a change of the number of partitions, until the old slab is gone."""
    found = series(snapshot(slab([CART]), slab([IDLE, CART])))
    assert len(found["sizewise_workload_instances"]) == 2


def test_mig_profiles_that_cannot_be_read_are_a_reason() -> None:
    """A name that is none: the slice counts as a whole GPU, there is no advice, and the rest is told."""
    odd = DiscoveredProfile("nonsense", 0, 1, 7, 10 * GIB, 14, ((0, 1),))
    whole = Gpu("g", H100, 80 * GIB, mig_enabled=True, mig=(MigInstance("m", "1g.10gb", 0),), mig_profiles=(odd,))
    node = Node("prod", "n", 1, gpus=(whole,), allocations=(Allocation(IDLE, "i", gpu_uuids=("m",)),))
    found = series(Snapshot(snapshot(slab([IDLE], gpu_profile())).slabs, {"prod/n": node}, (), 1))
    assert value(found, "sizewise_workload_mig_advice_info", action="refused", reason="mig-profiles") == 1
    assert value(found, "sizewise_namespace_gpus_held", namespace="ml") == 1


def test_advice_is_looked_at_in_portions() -> None:
    """Three workloads, two a pass: the third has its advice in the second pass, and nothing is looked at again after."""
    ids = [f"prod/ml/Job/j{n}/main" for n in range(3)]
    values = {k: np.repeat(np.atleast_2d(v), 3, axis=0) if np.ndim(v) > 1 else v for k, v in gpu_profile().items()}
    view = View()
    view.snapshot = snapshot(slab(ids, values))
    made = FleetSeries(view, ExpositionSettings(), SlicePolicy(), NullMeter(), lambda: 0.0, advice_per_pass=2)
    counts = []
    for _ in range(3):
        before = made.ready.text
        made.refresh()
        counts.append((len(scraped(made.ready.text)["sizewise_workload_mig_advice_info"]), made.ready.text is before))
    assert counts == [(2, False), (3, False), (3, True)]


def test_every_name_is_declared_once_and_follows_the_naming_rules() -> None:
    """Base units, _ratio, _info, _total for counters alone, and no name in both catalogues."""
    assert not set(CATALOGUE) & set(FLEET_CATALOGUE)
    for spec in (*CATALOGUE.values(), *FLEET_CATALOGUE.values()):
        assert spec.name.startswith("sizewise_")
        assert spec.name.endswith("_total") == (spec.kind == "counter"), spec.name
        assert spec.help
        assert spec.help[-1] != ".", spec.name
