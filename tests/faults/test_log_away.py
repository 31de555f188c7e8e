"""The broker goes away while telemetry is collected, and comes back."""

from __future__ import annotations

import random
import re
import threading
import time
from pathlib import Path

import pytest

from collector.run import collect
from collector.sender import BATCH_MESSAGES
from collector.settings import CollectorSettings
from collector.source import Moment, Reading
from deploy.services.kafka import KafkaBroker
from models.telemetry import TelemetryBatch
from sizewise.process import open_with_streams
from stream.schemas import SEQUENCE
from stream.streams import TELEMETRY
from tests.collector.metered import CountingMeter
from tests.faults.conftest import Install, kafka_settings
from tests.faults.installation import wait_for
from tests.faults.load import Load, workload
from tests.faults.outcome import Outcome, outcome, read, reasons
from tests.faults.roles import Role


def most_waiting(collector: Role) -> int:
    """The longest queue that it told of."""
    return max(map(int, re.findall(r"(\d+) wait in the outbox", collector.output())), default=0)


@pytest.mark.slow
def test_a_minute_without_the_broker_loses_and_doubles_nothing(
    kafka_broker: KafkaBroker, install: Install, load: Load, undisturbed: Outcome
) -> None:
    """Everybody lives through it: collectors read on and keep it on disk, profilers and recommender wait. Afterwards
    all of it is delivered, and the outcome is that of a run without an outage."""
    made = install(kafka_settings(kafka_broker.bootstrap), load)
    made.play_in(60)
    made.start()
    time.sleep(4)
    kafka_broker.stop()
    time.sleep(60)
    kafka_broker.start()
    assert [role.exit_code for role in made.roles] == [None] * len(made.roles), made.tails()
    assert all(most_waiting(collector) > load.flushes for collector in made.collectors)
    made.finish()
    assert outcome(made.log) == undisturbed
    assert reasons(made.log).keys() <= {"duplicate"}


@pytest.mark.slow
def test_a_broker_that_freezes_and_then_loses_power_loses_and_doubles_nothing(
    kafka_broker: KafkaBroker, install: Install, load: Load, undisturbed: Outcome
) -> None:
    """First connections stay open and nothing answers, for longer than a session; then the broker is killed. Whatever
    was in flight is decided afterwards."""
    made = install(kafka_settings(kafka_broker.bootstrap), load)
    made.play_in(15)
    made.start()
    time.sleep(4)
    kafka_broker.pause()
    time.sleep(3)
    kafka_broker.resume()
    time.sleep(3)
    kafka_broker.kill()
    kafka_broker.start()
    assert [role.exit_code for role in made.roles] == [None] * len(made.roles), made.tails()
    made.finish()
    assert outcome(made.log) == undisturbed
    assert reasons(made.log).keys() <= {"duplicate"}


class Busy:
    """A source of 200 rows a read, so random that compression saves nothing: an outbox of 1 MiB is soon full."""

    name = "busy"

    def __init__(self) -> None:
        self._chance = random.Random(1)

    def read(self, now: Moment) -> Reading:
        names = [workload(0, number) for number in range(200)]
        values = [self._chance.random() for _ in names]
        signals = {
            name: [self._chance.random() for _ in names] for name in ("cpu_throttled_ratio", "cpu_pressure_ratio")
        }
        signals |= {"cpu_cores": values, "memory_working_set_bytes": [value * 1e9 for value in values]}
        times = [now.wall_ms] * len(names)
        return Reading(
            [TelemetryBatch("cpu", {"workload": names, "instance": names}, times, [100] * len(names), signals)]
        )

    def state(self) -> bytes:
        return b""

    def restore(self, state: bytes, now: Moment) -> None: ...

    def close(self) -> None: ...


@pytest.mark.slow
def test_over_its_bound_the_outbox_drops_the_oldest_and_counts_them(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Of the numbers 1 to n, what was read first after the broker went is missing in the log, and the newest are there, as
    many as an outbox holds. The counter has all of them, and besides at most a batch that was sent and not confirmed
    before it had to go. What
    waited stayed under the bound."""
    settings = CollectorSettings(
        interval_s=0.1,
        flush_interval_s=0.1,
        outbox=str(tmp_path / "outbox.db"),
        outbox_max_bytes=1 << 20,
        send_backoff_s=0.1,
        send_backoff_max_s=0.5,
        send_timeout_s=2.0,
    )
    log = open_with_streams(kafka_settings(kafka_broker.bootstrap))
    meter, stop = CountingMeter(), threading.Event()
    collecting = threading.Thread(
        target=collect, args=(lambda: log, settings, meter, stop), kwargs={"sources": [Busy()]}
    )
    collecting.start()
    try:
        wait_for(lambda: sent(meter) > 20, 30, lambda: "nothing was sent")
        oldest = sent(meter) + BATCH_MESSAGES
        kafka_broker.stop()
        wait_for(lambda: dropped(meter) > 50, 60, lambda: f"{meter.gauges}")
        assert meter.gauges["sizewise_outbox_bytes"] <= settings.outbox_max_bytes
        full = meter.gauges["sizewise_outbox_messages"]
        kafka_broker.start()
        wait_for(lambda: meter.gauges["sizewise_outbox_messages"] == 0, 60, lambda: f"{meter.gauges}")
    finally:
        stop.set()
        collecting.join()
    arrived = {int(record.headers[SEQUENCE]) for record in read(log, TELEMETRY)}
    log.close()
    missing = sorted(set(range(1, max(arrived) + 1)) - arrived)
    assert 0 < len(missing) <= dropped(meter) <= len(missing) + BATCH_MESSAGES
    assert missing[0] <= oldest
    assert max(arrived) - missing[-1] >= full - BATCH_MESSAGES
    assert len(arrived & set(range(missing[0], missing[-1]))) <= BATCH_MESSAGES


def sent(meter: CountingMeter) -> int:
    return meter.counts["sizewise_outbox_sent_messages_total"]


def dropped(meter: CountingMeter) -> int:
    return meter.counts["sizewise_outbox_dropped_messages_total"]
