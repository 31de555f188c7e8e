"""Units, output formats, the metrics exporter, supervision, the state folder."""

from __future__ import annotations

import csv
import io
import json
import threading
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from models.metrics import METRICS
from sizewise import units
from sizewise.metrics import PrometheusMeter
from sizewise.output import render
from sizewise.process_settings import ProcessSettings
from sizewise.state import state_defaults, state_folder
from sizewise.supervise import Stage, supervise


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0, "0"),
        (0.0004, "0.4m"),
        (0.25, "250m"),
        (0.9999, "1"),
        (1.5, "1.5"),
        (12.34, "12.3"),
        (640, "640"),
    ],
)
def test_cores_read_as_kubernetes_writes_them(value: float | None, text: str) -> None:
    """Millicores under one core, three digits at most."""
    assert units.cores(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0"), (512, "512 B"), (1024, "1 KiB"), (1.2 * 2**30, "1.2 GiB"), (1023.9 * 2**20, "1 GiB"),
     (-3 * 2**20, "-3 MiB")],
)  # fmt: skip
def test_sizes_take_the_largest_unit_that_leaves_one(value: float | None, text: str) -> None:
    """1023.9 MiB rounds to 1,024, so it is 1 GiB."""
    assert units.size(value) == text


def test_shares_and_durations_read_well() -> None:
    """A share under one percent is not 0; a duration is in the largest unit of which there is one."""
    assert [units.share(x) for x in (None, 0.0, 0.004, 0.5)] == ["-", "0%", "<1%", "50%"]
    assert [units.duration(h) for h in (0.01, 0.5, 3.5, 48)] == ["36 s", "30 min", "3.5 h", "2 d"]


@given(st.floats(1e-4, 1e15))
def test_what_is_read_is_within_half_a_percent_of_what_is_true(value: float) -> None:
    """Three digits: 250m is between 249.5m and 250.5m."""
    number, unit = units.size(value).split() if " " in units.size(value) else (units.size(value), "B")
    assert float(number) * 1024 ** ("B", "KiB", "MiB", "GiB", "TiB", "PiB").index(unit) == pytest.approx(
        value, rel=0.006, abs=0.006
    )


RECORDS = [{"name": "=cmd|x", "cores": 1.5, "gone": None}, {"name": "a|b\nc", "cores": -2.0, "gone": None}]


def test_records_survive_json_yaml_and_csv() -> None:
    """What is read back is what was given; in CSV a formula is defused and a missing value is empty."""
    assert json.loads(render(RECORDS, "json")) == RECORDS
    assert yaml.safe_load(render(RECORDS, "yaml")) == RECORDS
    rows = list(csv.DictReader(io.StringIO(render(RECORDS, "csv"))))
    assert rows[0] == {"name": "'=cmd|x", "cores": "1.5", "gone": ""}
    assert rows[1]["name"] == "a|b\nc"


def test_markdown_keeps_a_cell_in_its_cell() -> None:
    """A bar in a value is escaped, a newline becomes a space."""
    lines = render(RECORDS, "markdown").splitlines()
    assert lines[0] == "| name | cores | gone |"
    assert lines[3] == "| a\\|b c | -2.0 |  |"


def test_every_declared_metric_can_be_counted_and_is_exposed() -> None:
    """One of each kind with its labels; the exposition names every metric of the catalogue."""
    meter = PrometheusMeter()
    for spec in METRICS:
        labels = dict.fromkeys(spec.labels, "x")
        if spec.kind == "counter":
            meter.count(spec.name, 1.0, **labels)
        elif spec.kind == "gauge":
            meter.gauge(spec.name, 1.0, **labels)
        else:
            meter.observe(spec.name, 1.0, **labels)
    text = meter.exposition().decode()
    assert all(f"# HELP {spec.name} " in text for spec in METRICS)
    assert "process_cpu_seconds_total" in text
    assert "sizewise_build_info{" in text


def test_a_gauge_is_told_from_its_first_value_on() -> None:
    """Not as 0 before: the age of a view that a role does not have would hide the age of one that is stale."""
    meter = PrometheusMeter()
    assert "sizewise_view_age_seconds" not in meter.exposition().decode()
    meter.gauge("sizewise_view_age_seconds", 7.0)
    meter.gauge("sizewise_view_age_seconds", 8.0)
    assert "sizewise_view_age_seconds 8.0" in meter.exposition().decode()


def test_a_metric_that_the_catalogue_lacks_is_refused() -> None:
    """Names and labels come from one place."""
    with pytest.raises(KeyError):
        PrometheusMeter().count("sizewise_invented_total")
    with pytest.raises(ValueError, match="label"):
        PrometheusMeter().count("sizewise_outbox_sent_messages_total", colour="red")


class Waits(threading.Event):
    """A stop event that notes how long it was waited for, and sets itself after some waits."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.waits: list[float | None] = []
        self._after = after

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        if len(self.waits) >= self._after:
            self.set()
        return self.is_set()


def test_a_stage_that_dies_starts_again_after_waits_that_double_up_to_a_bound() -> None:
    """Backoff 1 s, at most 5 s: 1, 2, 4, 5, 5; each death is counted."""
    stop, meter = Waits(5), PrometheusMeter()

    def die(stop: threading.Event) -> None:
        raise RuntimeError("boom")

    supervise(Stage("x", die), stop, ProcessSettings(restart_backoff_max_s=5), meter, lambda: 0.0)
    assert stop.waits == [1, 2, 4, 5, 5]
    assert 'sizewise_stage_restarts_total{stage="x"} 5.0' in meter.exposition().decode()


def test_a_stage_that_ran_long_starts_again_soon() -> None:
    """Each run takes 60 s, more than the longest wait of 30 s: every wait is 1 s."""
    clock = iter(range(0, 6000, 60))

    def die(stop: threading.Event) -> None:
        raise RuntimeError("boom")

    stop = Waits(4)
    supervise(Stage("x", die), stop, ProcessSettings(), PrometheusMeter(), lambda: float(next(clock)))
    assert stop.waits == [1, 1, 1, 1]


def test_an_error_that_is_not_to_be_survived_is_passed_on() -> None:
    """A role restarts when its log is away, and ends with any other error."""

    def die(stop: threading.Event) -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        supervise(Stage("x", die, (OSError,)), Waits(9), ProcessSettings(), PrometheusMeter(), lambda: 0.0)


def test_the_state_folder_is_chosen_as_the_xdg_specification_says() -> None:
    """--state, then SIZEWISE_STATE, then XDG_STATE_HOME if absolute, then ~/.local/state."""
    home = Path.home() / ".local/state/sizewise"
    assert state_folder({}) == home
    assert state_folder({"XDG_STATE_HOME": "relative"}) == home
    assert state_folder({"XDG_STATE_HOME": "/var/x"}) == Path("/var/x/sizewise")
    assert state_folder({"SIZEWISE_STATE": "/srv/s", "XDG_STATE_HOME": "/var/x"}) == Path("/srv/s")
    assert state_folder({"SIZEWISE_STATE": "/srv/s"}, Path("/chosen")) == Path("/chosen")
    assert state_defaults(Path("/s"))["log.location"] == "sqlite:/s/sizewise.db"
