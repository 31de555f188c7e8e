"""The bench of a pod's creation runs to its end, and its arms are what they say."""

from __future__ import annotations

import pytest

from bench import apiserver
from deploy.services.kubernetes import KUBERNETES
from tests.services.plugin import home_of


def test_a_short_run_gives_both_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pods shown to nobody come out as asked for and the others sized, or the bench itself raises."""
    home_of(KUBERNETES)
    for name, value in {"WORKLOADS": 1000, "ROUNDS": 5, "WARM_UP": 1}.items():
        monkeypatch.setattr(apiserver, name, value)
    report = apiserver.run(None)
    assert set(report.figures) == {"apiserver_added_p50_ms", "apiserver_added_p99_ms"}
    assert [row["pod is shown to"] for row in report.rows][:2] == ["no webhook", "sizewise webhook"]
