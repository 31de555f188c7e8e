"""Runs of a job: told apart by silence, each with the peak of its start and of what follows; and a service's two days."""

from __future__ import annotations

from models.peak16 import from_peak16
from models.profile import CPU, MEMORY, RUNS
from tests.profiler.telemetry import HOUR, MINUTE, Row, message, of, profile


def runs_of(rows: list[Row]) -> dict[str, object]:
    """Each row in a message of its own."""
    return of(profile([message([row], "n1", i + 1) for i, row in enumerate(rows)]).profiles, "job")


def job(start: float, peak: float, at_ms: int) -> list[Row]:
    """A run of half an hour: `start` GB in its first minutes, `peak` GB later."""
    return [Row("job", at_ms, 1.0, start * 1e9), Row("job", at_ms + 30 * MINUTE, 2.0, peak * 1e9)]


def test_a_silent_hour_ends_a_run() -> None:
    """Runs at 0, 3 and 6 o'clock; at 7 the third goes on, because no whole hour lay between."""
    found = runs_of([*job(1, 2, 0), *job(3, 4, 3 * HOUR), *job(8, 5, 6 * HOUR), Row("job", 7 * HOUR, 2.0, 6e9)])
    assert found["runs"] == 2
    start, steady = (from_peak16(found[name])[MEMORY, :3] for name in ("run_start_peak", "run_peak"))  # type: ignore[arg-type,index]
    for codes, values in ((start, (1e9, 3e9, 8e9)), (steady, (2e9, 4e9, 6e9))):
        for code, value in zip(codes, values, strict=True):
            assert value <= code <= value * (1 + 1 / 128)


def test_rows_of_both_phases_in_one_message_are_told_apart() -> None:
    """One message with minutes 0, 5, 9, 15: the first ten belong to the start, cores 1 to 3 and 4."""
    rows = [Row("job", minute * MINUTE, cores, 1e9) for minute, cores in ((0, 1.0), (5, 3.0), (9, 2.0), (15, 4.0))]
    found = of(profile([message(rows, "n1", 1)]).profiles, "job")
    assert from_peak16(found["run_start_peak"])[CPU, 0] == 3.0
    assert from_peak16(found["run_peak"])[CPU, 0] == 4.0


def test_only_the_newest_runs_are_kept() -> None:
    """Twenty runs of rising peaks: the column of run 19 is 19 modulo 16, and run 3 is gone."""
    rows = [row for run in range(20) for row in job(run + 1, run + 1, 3 * HOUR * run)]
    found = runs_of(rows)
    peaks = from_peak16(found["run_peak"])[MEMORY]  # type: ignore[arg-type]
    assert found["runs"] == 19
    assert 20e9 <= peaks[19 % RUNS] <= 20e9 * (1 + 1 / 128)
    assert peaks.min() >= 5e9


def test_a_service_has_a_column_for_two_days() -> None:
    """Memory of a GB for forty days, but 7 on the first: after 32 days nothing of it is left, and no run has ended."""
    rows = [Row("job", hour * HOUR, 1.0, 7e9 if hour < 24 else 1e9) for hour in range(40 * 24)]
    found = runs_of(rows)
    peaks = from_peak16(found["run_peak"])[MEMORY]  # type: ignore[arg-type]
    assert found["runs"] == 0
    assert peaks.min() >= 1e9
    assert peaks.max() <= 1e9 * (1 + 1 / 128)
