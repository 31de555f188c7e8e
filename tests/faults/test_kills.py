"""SIGKILL of any role at any moment."""

from __future__ import annotations

import pytest

from stream.settings import LogSettings
from stream.streams import TELEMETRY
from tests.faults.chaos import Chaos
from tests.faults.conftest import Install
from tests.faults.installation import PROFILER_GROUP
from tests.faults.load import Load
from tests.faults.outcome import Outcome, count, outcome, reasons

KILLS = 200


def test_undisturbed_every_row_is_counted(load: Load, undisturbed: Outcome) -> None:
    """What the others are held against is right itself: each workload has the rows of its recording, and advice."""
    assert count(undisturbed.profiles, "rows") == dict.fromkeys(load.workloads(), load.rows)
    assert undisturbed.recommendations.keys() == load.workloads()
    assert undisturbed.events == len(load.files) * load.flushes // 20


@pytest.mark.slow
@pytest.mark.parametrize(("log_settings", "mean_life_s"), [("sqlite", 0.5), ("kafka", 1.5)], indirect=["log_settings"])
def test_killed_at_random_the_outcome_is_the_same_bit_for_bit(
    log_settings: LogSettings, mean_life_s: float, install: Install, load: Load, undisturbed: Outcome
) -> None:
    """Two collectors, two profilers and a recommender are killed 200 times, by the clock and by fuses, and started
    again at once. On Kafka lives are longer: there a group needs a session of a second to see that a member is gone."""
    made = install(log_settings, load)
    made.play_in(KILLS * mean_life_s / len(made.roles))
    chaos = Chaos(made.roles, log_settings.location.partition(":")[0], mean_life_s, seed=1)

    def profiled() -> int:
        return sum(made.log.committed(PROFILER_GROUP, TELEMETRY).values())

    chaos.run(KILLS, profiled)
    under_fire = profiled()
    made.finish()
    assert outcome(made.log) == undisturbed
    assert reasons(made.log).keys() <= {"duplicate"}
    assert under_fire > 0
    assert set(chaos.kills) == {role.name for role in made.roles}
    for role in made.roles:
        assert role.blown(), f"no fuse killed {role.name}"
