"""The same series through the streams and through the replay harness give the same limits.

The streams: telemetry messages, the profiler, the recommender, all on a SQLite log, a day at a time. The replay:
`bench.sizing`, which holds every sample in memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

from models.columns import Array, Columns
from models.histogram import BUCKETS, bucket_of, from_log_code, quantiles, to_log_code
from models.metrics import NullMeter
from models.profile import DAY_LEVELS
from models.recommendation import RECOMMENDATION_FIELDS
from models.telemetry import TelemetryBatch
from profiler.service import Profiler
from profiler.settings import ProfilerSettings
from recommender.backtest.ensemble import Learner, Target
from recommender.backtest.usage import Past, Resource, Usage
from recommender.service import Recommender
from recommender.settings import RecommenderSettings
from recommender.sizing.experts.days import LEVELS
from recommender.sizing.settings import SizingPolicy
from stream import schemas
from stream.columns_codec import decode_columns
from stream.consume import ConsumeSettings
from stream.contract import EventLog, Message
from stream.open import open_log
from stream.read_all import newest_by_key, read_all
from stream.settings import LogSettings
from stream.streams import PROFILES, RECOMMENDATIONS, TELEMETRY, stream_specs
from stream.telemetry_encoder import encode_telemetry
from tests.roles import running, until

DAY_MS, SLOT_MS = 86_400_000, 1_800_000
START_MS = 19_600 * DAY_MS
WORKLOADS, DAYS, SLOTS = 60, 13, 48
RATES: dict[Resource, float] = {"cpu": 0.02, "memory": 0.03}


def made_up() -> dict[Resource, Usage]:
    """Log-normal usage around levels of their own; every tenth workload has a weekly peak. Sizes are exact float32."""
    draw = np.random.default_rng(11)
    found: dict[Resource, Usage] = {}
    for resource, unit in (("cpu", 1.0), ("memory", float(1 << 30))):
        level = unit * np.exp(draw.normal(0, 1, (WORKLOADS, 1, 1)))
        spread = draw.uniform(0.1, 0.6, (WORKLOADS, 1, 1))
        samples = level * np.exp(spread * draw.normal(0, 1, (WORKLOADS, DAYS, SLOTS)))
        samples[::10, ::7] *= 3
        size = np.float32(30 * level[:, :, 0]).astype(np.float64) * np.ones((1, DAYS))
        names = [f"test/shop/Deployment/app-{i:02}/main" for i in range(WORKLOADS)]
        found[resource] = Usage(resource, names, samples, size, START_MS // 1000)
    return found


def telemetry(fleet: dict[Resource, Usage], day: int) -> Message:
    """All rows of a day in one message; of the day after the last one only its first rows, which end the last day."""
    slots = SLOTS if day < DAYS else 1
    source = min(day, DAYS - 1)
    times = START_MS + day * DAY_MS + SLOT_MS * np.arange(slots) + SLOT_MS // 2

    def column(values: Array) -> list[float]:
        return list(np.ravel(values))

    batch = TelemetryBatch(
        "cpu",
        {
            "workload": [name for name in fleet["cpu"].workloads for _ in range(slots)],
            "instance": ["one"] * (WORKLOADS * slots),
        },
        [int(at) for _ in range(WORKLOADS) for at in times],
        [SLOT_MS] * (WORKLOADS * slots),
        {
            "cpu_cores": column(fleet["cpu"].samples[:, source, :slots]),
            "cpu_limit_cores": column(np.repeat(fleet["cpu"].provisioned[:, source], slots)),
            "memory_working_set_bytes": column(fleet["memory"].samples[:, source, :slots]),
            "memory_limit_bytes": column(np.repeat(fleet["memory"].provisioned[:, source], slots)),
        },
    )
    headers = {schemas.SCHEMA: schemas.TELEMETRY["cpu"], schemas.PRODUCER: "test", schemas.SEQUENCE: str(day + 1)}
    return Message("test", encode_telemetry(batch), headers, int(times[-1]) + SLOT_MS, 0)


def taken(log: EventLog, group: str, stream: str) -> bool:
    return log.committed(group, stream).get(0) == log.offsets(stream)[0][1]


def through_the_streams(log: EventLog, fleet: dict[Resource, Usage]) -> Columns:
    """The recommendations after the last day. Each day is taken by both stages before the next one is sent."""
    policy = SizingPolicy(cpu_target_throttled_ratio=RATES["cpu"], memory_target_oom_days_ratio=RATES["memory"])
    own = RecommenderSettings(sizing=policy, consume=ConsumeSettings(commit_interval_s=0.02, poll_timeout_s=0.02))
    began = time.monotonic()
    at_the_end = START_MS / 1000 + DAYS * 86_400 + 7200
    profiler = Profiler(
        log, ProfilerSettings(commit_interval_s=0.02), NullMeter(), lambda: at_the_end + time.monotonic() - began
    )
    recommender = Recommender(log, own, NullMeter(), time.monotonic)
    writer = log.writer()
    with running(profiler.run, recommender.run):
        for day in range(DAYS + 1):
            writer.append(TELEMETRY, [telemetry(fleet, day)])
            writer.flush(10)
            until(lambda: taken(log, ProfilerSettings().group, TELEMETRY))
            until(lambda: taken(log, own.group, PROFILES))
    writer.close()
    (slab,) = newest_by_key(read_all(log, RECOMMENDATIONS, 0)).values()
    return decode_columns(slab.value, RECOMMENDATION_FIELDS)


def as_profiled(resource: int, samples: Array) -> Array:
    """The summary of each day as a profile keeps it: from buckets 5 % wide, in steps of 0.07 %; the peak is exact."""
    n, days, slots = samples.shape
    counts = np.zeros((n * days, BUCKETS), dtype=np.uint32)
    rows = np.repeat(np.arange(n * days), slots)
    np.add.at(counts, (rows, bucket_of(samples.reshape(-1).astype(np.float32), resource)), np.uint32(SLOT_MS // 1000))
    peak = samples.max(axis=2).reshape(-1)
    found = quantiles(counts, (0.95, *DAY_LEVELS), resource, peak)
    coded = from_log_code(to_log_code(found[:, 1:]))
    columns = [coded[:, DAY_LEVELS.index(level)] if level in DAY_LEVELS else None for level in LEVELS]
    columns[LEVELS.index(0.95)], columns[LEVELS.index(1.0)] = found[:, 0], peak
    return np.stack([np.asarray(column) for column in columns], axis=1).reshape(n, days, len(LEVELS))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[Resource, Usage], Columns]]:
    fleet = made_up()
    log = open_log(LogSettings(f"sqlite:{tmp_path_factory.mktemp('live') / 'log.db'}", sqlite_synchronous="normal"))
    log.ensure(stream_specs(1))
    try:
        yield fleet, through_the_streams(log, fleet)
    finally:
        with suppress(Exception):
            log.close()


@pytest.mark.parametrize(("resource", "number"), [("cpu", 0), ("memory", 1)])
def test_the_live_limits_are_those_of_the_replay(
    both: tuple[dict[Resource, Usage], Columns], resource: Resource, number: int
) -> None:
    """The replay sees days as a profile keeps them, so all that is left is how a record is kept: losses in steps of 1.5e-5
    and limits as float32. The largest effect is where two experts are nearly level: 1 % is allowed, 0.1 % is usual."""
    fleet, live = both
    policy = Target(Learner(resource, leave_out=False, summary=partial(as_profiled, number)), RATES[resource])
    replayed = policy.decide(Past(fleet[resource], DAYS))
    off = np.abs(live["expert_limit"][:, number] / replayed - 1)
    assert np.max(off) < 0.01
    assert np.median(off) < 0.001


@pytest.mark.parametrize(("resource", "number", "usual"), [("cpu", 0, 0.05), ("memory", 1, 0.01)])
def test_the_live_limits_are_near_those_from_every_sample(
    both: tuple[dict[Resource, Usage], Columns], resource: Resource, number: int, usual: float
) -> None:
    """A profile keeps quantiles within a bucket of 5 %: CPU limits, which rest on them, follow by one bucket; memory
    limits rest on exact peaks. Nine in ten lie within two buckets."""
    fleet, live = both
    replayed = Target(Learner(resource, leave_out=False), RATES[resource]).decide(Past(fleet[resource], DAYS))
    off = np.abs(live["expert_limit"][:, number] / replayed - 1)
    assert np.median(off) < usual
    assert np.quantile(off, 0.9) < 0.10


def test_what_carried_a_decision_is_told(both: tuple[dict[Resource, Usage], Columns]) -> None:
    """Weights fall and are shares; the own share after 11 charged days is their decayed weight over that and the prior."""
    live = both[1]
    weights = live["carrier_weight"]
    assert np.all(np.diff(weights, axis=2) <= 0)
    assert np.all((weights > 0) & (weights <= 1))
    charged = DAYS - 2
    keep = 2 ** (-1 / 30)
    own = (1 - keep**charged) / (1 - keep)
    assert live["own_share_ratio"][0] == pytest.approx([own / (own + 10), own / (own + 15)], rel=1e-4)
