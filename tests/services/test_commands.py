"""`python -m deploy.services`: what is built for whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.services import __main__ as commands
from deploy.services.registry import SERVICES
from deploy.services.service import Service, ServiceError


@pytest.fixture
def runner(tmp_path: Path) -> CliRunner:
    return CliRunner(env={"SIZEWISE_SERVICES": str(tmp_path)})


def test_build_without_names_builds_what_the_tests_use(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that only a bench runs costs minutes of compiling, which nobody waits for who runs the tests."""
    built: list[Service] = []
    monkeypatch.setattr(commands, "_build", lambda cache, service: built.append(service))
    runner.invoke(commands.main, ["build"], catch_exceptions=False)
    assert [service.name for service in built] == [
        "kafka",
        "prometheus",
        "prometheus3",
        "victoria-metrics",
        "kubernetes",
    ]
    runner.invoke(commands.main, ["build", "vegeta"], catch_exceptions=False)
    assert built[-1].name == "vegeta"


def test_status_says_how_to_build_what_is_missing(runner: CliRunner) -> None:
    """Nothing is there: a line for each, with the command."""
    lines = runner.invoke(commands.main, ["status"]).stdout.splitlines()[1:]
    assert len(lines) == len(SERVICES)
    assert all("not built" in line for line in lines)
    ends = {line.split()[0]: line.rpartition(": ")[2] for line in lines}
    assert (ends["kubernetes"], ends["vegeta"]) == ("make services", "python -m deploy.services build vegeta")


def test_a_program_that_serves_nothing_is_not_run(runner: CliRunner) -> None:
    """The error says what it is for."""
    with pytest.raises(ServiceError, match=r"vegeta 12\.13\.0 is no server of its own: it offers requests"):
        runner.invoke(commands.main, ["run", "vegeta"], catch_exceptions=False)
