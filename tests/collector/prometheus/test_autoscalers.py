"""Autoscalers that a real Prometheus knows of, as events."""

from __future__ import annotations

from stream.contract import EventLog
from tests.collector.prometheus.conftest import Importer, Serve
from tests.collector.prometheus.rows import events_in
from tests.collector.prometheus.world import Container, World, minutes

DAY_MS = 86_400_000


def test_what_an_autoscaler_follows_is_told_once_a_day(serve: Serve, importer: Importer, log: EventLog) -> None:
    """Two pods of one Deployment over 25 hours, and an autoscaler that holds its CPU at a share of the request: an event on
    each of the two UTC days. Memory is held at an absolute average and a queue at whatever: nothing of either. Another
    autoscaler scales what has no pods."""
    world, times = World(), minutes(25)
    always = [(time, 1.0) for time in times]
    for pod in ("web-a", "web-b"):
        Container("shop", pod, "main").add_to(world, times, [0.5] * len(times), [1e9] * len(times))
        world.add("kube_pod_owner", always, namespace="shop", pod=pod, owner_kind="ReplicaSet", owner_name="rs")
    world.add(
        "kube_replicaset_owner", always, namespace="shop", replicaset="rs", owner_kind="Deployment", owner_name="web"
    )
    for name, target in (("web-scaler", "web"), ("other", "gone")):
        about = {"namespace": "shop", "horizontalpodautoscaler": name}
        scaled = {"scaletargetref_kind": "Deployment", "scaletargetref_name": target}
        world.add("kube_horizontalpodautoscaler_info", always, **about, **scaled)
        for metric, kind in (("cpu", "utilization"), ("memory", "average"), ("queue", "value")):
            told = {"metric_name": metric, "metric_target_type": kind}
            world.add("kube_horizontalpodautoscaler_spec_target_metric", always, **about, **told)
    importer.run(serve(world).url, 25)
    seen = [event for event in events_in(log) if event.kind == "autoscaler-seen"]
    assert [event.workload for event in seen] == ["prod/shop/Deployment/web/main"] * 2
    assert [event.details for event in seen] == [{"metric": "cpu", "autoscaler": "web-scaler"}] * 2
    assert {event.time_ms // DAY_MS for event in seen} == {times[0] * 1000 // DAY_MS, times[0] * 1000 // DAY_MS + 1}
