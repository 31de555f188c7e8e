"""When the API is asked, that nobody waits for it, and that what is known stays known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.kubernetes.api import NodeApi
from collector.kubernetes.settings import KubernetesSettings, api_url
from collector.kubernetes.source import KubernetesNodeSource
from collector.service import Collector
from collector.settings import CollectorSettings, FactsSettings
from collector.source import Moment, Reading, SourceError
from collector.sources import machine_sources
from collector.told import ToldSource
from models.inventory import Node
from models.metrics import NullMeter
from models.taints import CORDONED, Taint
from tests.collector.kubernetes.api_server import Answers, node_json, serving
from tests.collector.test_in_time import Host, Kept, at

LABELS = {"pool": "train", "topology.kubernetes.io/zone": "a", "node-lifecycle": "spot"}
_WAIT_S = 30


@pytest.fixture
def answers() -> Answers:
    return Answers(body=node_json("node-1", LABELS))


@pytest.fixture
def api(answers: Answers, tmp_path: Path) -> Iterator[NodeApi]:
    with serving(answers, tmp_path) as url:
        yield NodeApi(url, str(tmp_path / "account"), 30.0)


def source_of(api: NodeApi) -> KubernetesNodeSource:
    return KubernetesNodeSource(api, "c", "node-1", 300)


def found(source: KubernetesNodeSource, moment: Moment) -> Reading:
    """The reading once it is handed over: a busy machine may take longer than the others wait."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            return source.read(moment)
        except SourceError as error:
            if "did not answer in" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def test_it_is_asked_every_five_minutes(api: NodeApi, answers: Answers) -> None:
    """At 0, 300 and 600 s; between them it says nothing."""
    source = source_of(api)
    told = [found(source, at(second)).node is not None for second in (0, 1, 299, 300, 301, 600)]
    assert told == [True, False, False, True, False, True]
    assert len(answers.asked) == 3
    source.close()


def test_after_a_failure_it_is_asked_at_once(api: NodeApi, answers: Answers) -> None:
    """When to come again is up to the collector, which backs off."""
    source, answers.status = source_of(api), 503
    for second in (0, 1):
        with pytest.raises(SourceError, match="503"):
            found(source, at(second))
    answers.status = 200
    assert found(source, at(3)).node is not None


def test_a_restart_while_the_api_is_away_forgets_nothing(api: NodeApi, answers: Answers) -> None:
    """The first read tells what the process before knew, the second asks. After an hour, as another node, or from what is
    no state, nothing is told."""
    before = source_of(api)
    node = found(before, at(0)).node
    assert node is not None
    state, answers.status = before.state(), 503
    after = source_of(api)
    after.restore(state, at(60))
    assert after.read(at(60)).node == node
    assert after.state() == state
    with pytest.raises(SourceError, match="503"):
        found(after, at(61))
    for late, name, saved in (
        (3601, "node-1", state),
        (60, "node-2", state),
        (60, "node-1", b"?"),
        (60, "node-1", b""),
    ):
        other = KubernetesNodeSource(api, "c", name, 300)
        other.restore(saved, at(late))
        with pytest.raises(SourceError, match="503"):
            found(other, at(late))


def test_an_api_that_hangs_holds_nobody_up(api: NodeApi, answers: Answers) -> None:
    """Ten seconds of reads while it hangs: the host is read each second, and coverage says what is the matter. When it
    answers, labels, zone and spot are there, and the line is gone."""
    answers.go.clear()
    sink = Kept()
    collector = Collector([Host(), source_of(api)], sink, CollectorSettings(), NullMeter())
    for second in range(10):
        collector.read(at(second))
    collector.flush(at(10))
    (flush,) = sink.flushes
    assert len(flush.batches) == 10
    (line,) = flush.nodes[0].coverage
    assert (line.source, line.signal, line.seen) == ("kubernetes-node", "*", False)
    assert "the API server may be overloaded" in line.reason
    assert len(answers.asked) == 1
    answers.go.set()
    node = _eventually_labelled(collector, sink)
    assert (node.labels, node.zone, node.spot, node.coverage) == (LABELS, "a", True, ())


def _eventually_labelled(collector: Collector, sink: Kept) -> Node:
    """The newest node once it has labels; reads are a minute apart, beyond any pause."""
    deadline, second = time.monotonic() + _WAIT_S, 100
    while time.monotonic() < deadline:
        second += 60
        collector.read(at(second))
        collector.flush(at(second))
        if node := next((node for flush in reversed(sink.flushes) for node in flush.nodes if node.labels), None):
            return node
        time.sleep(0.01)
    raise AssertionError("no labels came")


def test_what_is_refused_is_coverage_and_labels_stay(api: NodeApi, answers: Answers) -> None:
    """A right that is taken away: what was read before is still said, and so is why it is not renewed."""
    sink = Kept()
    source = source_of(api)
    collector = Collector([Host(), source], sink, CollectorSettings(), NullMeter())
    _eventually_labelled(collector, sink)
    answers.status = 403
    deadline, second, reason = time.monotonic() + _WAIT_S, 10_000, ""
    while "403" not in reason and time.monotonic() < deadline:
        second += 400
        collector.read(at(second))
        collector.flush(at(second))
        node = sink.flushes[-1].nodes[-1]
        reason = node.coverage[0].reason if node.coverage else ""
    assert "403 Forbidden" in reason
    assert "grant get on nodes" in reason
    assert node.labels == LABELS


def test_what_the_settings_say_wins(api: NodeApi, answers: Answers) -> None:
    """A label, the zone and `spot = false` are corrected by hand; a price is added; other labels are those of Kubernetes. A
    taint by hand does not hide those that Kubernetes has."""
    answers.body = node_json("node-1", LABELS, spec={"unschedulable": True})
    labels = {"pool": "lab", "rack": "r7"}
    facts = FactsSettings(labels, zone="b", spot=False, price_usd_per_hour=3.5, taints=("team=ml:NoExecute",))
    sink = Kept()
    told = ToldSource(facts, "c", "node-1")
    collector = Collector([told, Host(), source_of(api)], sink, CollectorSettings(), NullMeter())
    deadline = time.monotonic() + _WAIT_S
    node, second = Node("c", "node-1", 0), 0
    while "node-lifecycle" not in node.labels and time.monotonic() < deadline:
        second += 60
        collector.read(at(second))
        collector.flush(at(second))
        node = next((flush.nodes[-1] for flush in reversed(sink.flushes) if flush.nodes), node)
    assert node.labels == LABELS | {"pool": "lab", "rack": "r7"}
    assert (node.zone, node.spot, node.price_usd_per_hour) == ("b", False, 3.5)
    assert node.taints == (Taint("team", "NoExecute", "ml"), CORDONED)


def test_a_price_below_nothing_is_refused() -> None:
    """And so is one that is no number."""
    for price in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="price_usd_per_hour is"):
            FactsSettings(price_usd_per_hour=price)


def test_a_taint_by_hand_that_is_none_is_refused() -> None:
    """At the start, and not as an open node."""
    with pytest.raises(ValueError, match="'gpu' is no taint"):
        FactsSettings(taints=("gpu",))


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("auto", {}, ""),
        ("auto", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "https://10.0.0.1:443"),
        (
            "auto",
            {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"},
            "https://[fd00::1]:6443",
        ),
        ("", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, ""),
        ("https://api.example:6443", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "https://api.example:6443"),
    ],
)
def test_where_the_api_is(url: str, environ: dict[str, str], expected: str) -> None:
    """As Kubernetes tells its pods, but where the settings say otherwise."""
    assert api_url(KubernetesSettings(url), environ) == expected


@pytest.mark.parametrize(
    ("wrong", "match"),
    [({"url": "http://a"}, "https://"), ({"interval_s": 0}, "interval_s is 0"), ({"timeout_s": -1}, "timeout_s is -1")],
)
def test_wrong_settings_are_refused(wrong: dict[str, object], match: str) -> None:
    """A token is never sent without TLS."""
    with pytest.raises(ValueError, match=match):
        KubernetesSettings(**wrong)  # type: ignore[arg-type]


def test_which_sources_a_machine_has() -> None:
    """In a pod the API; with facts in the settings these, before all others; else neither."""
    in_pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    plain, told = CollectorSettings(), CollectorSettings(facts=FactsSettings(zone="a"))
    for settings, environ, expected in (
        (plain, {}, ["host", "nvml"]),
        (plain, in_pod, ["host", "nvml", "kubernetes-node"]),
        (told, in_pod, ["settings", "host", "nvml", "kubernetes-node"]),
    ):
        sources = machine_sources(settings, NullMeter(), environ)
        assert [source.name for source in sources] == expected
        for source in sources:
            source.close()
