"""Profilers come and go while telemetry comes in."""

from __future__ import annotations

import time

import pytest

from stream.settings import LogSettings
from tests.faults.conftest import Install
from tests.faults.installation import PARTITIONS, wait_for
from tests.faults.load import Load
from tests.faults.outcome import Outcome, outcome, reasons
from tests.faults.roles import Role


def restored(role: Role) -> int:
    """How often it took a partition over."""
    return role.output().count("workloads restored")


@pytest.mark.slow
@pytest.mark.parametrize(("log_settings", "pause_s"), [("sqlite", 1.0), ("kafka", 2.0)], indirect=["log_settings"])
def test_profilers_that_come_and_go_share_the_work_and_change_nothing(
    log_settings: LogSettings, pause_s: float, install: Install, load: Load, undisturbed: Outcome
) -> None:
    """One, two, three, four; the first leaves, the second is killed, a fifth comes: each had partitions of its own,
    and the outcome is that of one profiler that was never disturbed."""
    made = install(log_settings, load, profilers=1)
    made.play_in(8 * pause_s)
    made.start()
    for number in range(1, PARTITIONS):
        time.sleep(pause_s)
        made.profilers.append(made.role(f"profile-{number}", "profile"))
        made.profilers[-1].start()
    newcomers = made.profilers[1:]
    wait_for(lambda: all(restored(role) for role in newcomers), 30, made.tails)
    made.profilers.pop(0).terminate()
    time.sleep(pause_s)
    made.profilers.pop(0).kill()
    made.profilers.append(made.role("profile-4", "profile"))
    made.profilers[-1].start()
    wait_for(lambda: restored(made.profilers[-1]) > 0, 30, made.tails)
    made.finish()
    assert outcome(made.log) == undisturbed
    assert not reasons(made.log)
