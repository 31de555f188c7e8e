"""The table of foreign names: consistent with itself and with our signals."""

from __future__ import annotations

from collections import Counter

import pytest

from collector.names.foreign import Foreign
from collector.names.table import DCGM, KUBE_STATE, TABLE, foreign_by_name
from collector.names.values import FP64_BLANK, in_our_unit, is_blank
from collector.names.who import PodContainer, container_of, machine_of


def test_a_series_has_one_meaning() -> None:
    """No name with the same labels means two signals, and none stands twice for one system. (OpenTelemetry's
    container.memory.rss, as Prometheus writes it, is cAdvisor's name, for the same thing.)"""
    meanings: dict[object, set[str]] = {}
    claims: Counter[object] = Counter()
    for foreign in TABLE:
        for name in foreign.names:
            series = name, tuple(sorted(foreign.only.items()))
            meanings.setdefault(series, set()).add(foreign.signal)
            claims[foreign.system, series] += 1
    assert all(len(signals) == 1 for signals in meanings.values())
    assert max(claims.values()) == 1


def test_dcgm_fields_are_named_once_in_both_spellings() -> None:
    """Field ids are unique; each profiling ratio has the name since 4.6 first and the one before it second."""
    assert len({foreign.field for foreign in DCGM}) == len(DCGM)
    for foreign in DCGM:
        if foreign.field is not None and 1001 <= foreign.field <= 1008:
            new, old = foreign.names
            assert new.endswith("_RATIO")
            assert not old.endswith("_RATIO")


@pytest.mark.parametrize(
    ("name", "labels", "signal"),
    [
        ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", {}, "tensor_active_ratio"),
        ("DCGM_FI_PROF_TENSOR_UTIL_RATIO", {}, "tensor_active_ratio"),
        ("container_cpu_usage_seconds_total", {"cpu": "total"}, "cpu_cores"),
        ("container_cpu_usage_seconds_total", {}, "cpu_cores"),
        ("container_cpu_usage_seconds_total", {"cpu": "cpu03"}, None),
        ("kube_pod_container_resource_requests", {"resource": "memory"}, "memory_request_bytes"),
        ("kube_pod_container_resource_requests", {"resource": "nvidia_com_gpu"}, None),
        ("kube_pod_container_resource_limits_cpu_cores", {}, "cpu_limit_cores"),
        ("node_cpu_seconds_total", {"mode": "user"}, "cpu_cores"),
        ("node_cpu_seconds_total", {"mode": "idle"}, None),
        ("k8s.pod.network.io", {"direction": "receive"}, "network_receive_bytes_per_s"),
        ("k8s_pod_network_io", {"direction": "transmit"}, "network_transmit_bytes_per_s"),
        ("up", {}, None),
    ],
)
def test_names_and_labels_say_the_signal(name: str, labels: dict[str, str], signal: str | None) -> None:
    """None: it means nothing to us."""
    foreign = foreign_by_name(name, labels)
    assert (foreign.signal if foreign else None) == signal


def test_an_entry_for_a_signal_that_is_none_cannot_be_made() -> None:
    """The message names both."""
    with pytest.raises(ValueError, match=r"x_total maps to 'speed'"):
        Foreign("cadvisor", ("x_total",), "speed", "cpu", "container")


def test_blank_values_are_known_by_what_they_are() -> None:
    """2^47 and the next ones as doubles, the int64 and int32 sentinels; a large honest rate is none of them."""
    for blank in (FP64_BLANK, FP64_BLANK + 3, 9223372036854775794.0, float(0x7FFFFFF0), float("nan")):
        assert is_blank(blank)
    assert not is_blank(9e11)
    power = next(foreign for foreign in DCGM if foreign.signal == "power_watts")
    assert in_our_unit(power, 450.5) == 450.5
    assert in_our_unit(power, FP64_BLANK + 2) is None
    assert all(in_our_unit(foreign, 3.0) == 3.0 for foreign in KUBE_STATE)


def test_a_container_is_named_as_the_host_source_names_it() -> None:
    """By the ids in cAdvisor's cgroup path, whichever driver wrote it; without them by names."""
    uid, container = "12345678-1234-4123-8123-123456789abc", "0f" * 32
    labels = {"namespace": "shop", "pod": "web-0", "container": "nginx", "instance": "10.0.0.1:10250"}
    systemd = (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid.replace('-', '_')}.slice/"
        f"cri-containerd-{container}.scope"
    )
    for path in (f"/kubepods/burstable/pod{uid}/{container}", systemd):
        found = container_of({**labels, "id": path})
        assert found is not None
        assert found.instance == f"{uid}/{container[:12]}"
        assert str(found.workload("prod")) == "prod/shop/StatefulSet/web/nginx"
    bare = container_of(labels)
    assert bare == PodContainer("shop", "web-0", "nginx", "10.0.0.1")
    assert bare.instance == "web-0/nginx"
    assert container_of({**labels, "container": "POD"}) is None
    assert container_of({**labels, "container": ""}) is None


def test_a_machine_is_named_without_its_port() -> None:
    """A node label wins over the address; an IPv6 address keeps its own colons."""
    assert machine_of({"instance": "10.0.0.1:9100"}) == "10.0.0.1"
    assert machine_of({"instance": "[fd00::1]:9100"}) == "[fd00::1]"
    assert machine_of({"instance": "10.0.0.1:9100", "node": "node-1"}) == "node-1"
    assert machine_of({}) == ""
