"""A whole installation on one log: collectors that replay, profilers, a recommender."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from profiler.settings import ProfilerSettings
from recommender.settings import RecommenderSettings
from stream.contract import EventLog, LogUnavailableError
from stream.open import open_log
from stream.settings import LogSettings
from stream.streams import PROFILES, TELEMETRY, stream_specs
from tests.faults.load import Load
from tests.faults.outcome import newest
from tests.faults.roles import Role

PARTITIONS = 4
PROFILER_GROUP, RECOMMENDER_GROUP = ProfilerSettings().group, RecommenderSettings().group
_QUICK = {
    # so short that kills hit every part of poll, absorb, encode and commit
    "SIZEWISE_PROFILER__COMMIT_INTERVAL_S": "0.05",
    "SIZEWISE_RECOMMENDER__CONSUME__COMMIT_INTERVAL_S": "0.05",
    "SIZEWISE_PROCESS__RESTART_BACKOFF_S": "0.2",
    "SIZEWISE_PROCESS__RESTART_BACKOFF_MAX_S": "1",
    "SIZEWISE_COLLECTOR__SEND_BACKOFF_S": "0.1",
    "SIZEWISE_COLLECTOR__SEND_BACKOFF_MAX_S": "1",
    # with these a target is held for a time, and so depends on which versions of a profile were looked at
    "SIZEWISE_RECOMMENDER__SIZING__HYSTERESIS_RATIO": "0",
    "SIZEWISE_RECOMMENDER__SIZING__LOWER_INTERVAL_DAYS": "0",
}


class Installation:
    """Its roles by name. `load` has one recording per collector."""

    def __init__(self, settings: LogSettings, folder: Path, load: Load, profilers: int = 2) -> None:
        folder.mkdir(exist_ok=True)
        self.log: EventLog = open_log(settings)
        self.log.ensure(stream_specs(PARTITIONS))
        self._folder, self._load = folder, load
        self._environment = _QUICK | variables(settings)
        self.collectors = [
            self.role(f"collect-{i}", "replay", str(file), "--speed", "max") for i, file in enumerate(load.files)
        ]
        self.profilers = [self.role(f"profile-{i}", "profile") for i in range(profilers)]
        self.recommender = self.role("recommend", "recommend")

    def role(self, name: str, *words: str, **environment: str) -> Role:
        """A role of this installation, with a state folder of its own."""
        state = {"SIZEWISE_STATE": str(self._folder / name)}
        return Role(name, words, self._environment | state | environment, self._folder)

    @property
    def roles(self) -> list[Role]:
        return [*self.collectors, *self.profilers, self.recommender]

    def play_in(self, seconds: float) -> None:
        """Let collectors that are started from now on take about so long."""
        for collector in self.collectors:
            collector.words[-1] = f"{self._load.span_s / seconds:.0f}"

    def start(self) -> None:
        for role in self.roles:
            role.start()

    def finish(self, timeout_s: float = 60) -> None:
        """Let the collectors play to the end, wait until all of it is recommended on, and end everybody well."""
        for collector in self.collectors:
            collector.join(timeout_s)
        wait_for(self.profiled, timeout_s, self.tails)
        wait_for(self.recommended, timeout_s, self.tails)
        for role in [*self.profilers, self.recommender]:
            role.terminate()

    def profiled(self) -> bool:
        """Whether all telemetry is in the profiles."""
        ends = {partition: end for partition, (_, end) in self.log.offsets(TELEMETRY).items()}
        return dict(self.log.committed(PROFILER_GROUP, TELEMETRY)) == ends

    def recommended(self) -> bool:
        """Whether all profiles were decided on. Counts messages: what follows the last one may be a commit's marker."""
        last: dict[int, int] = {}
        for record in newest(self.log, PROFILES).values():
            last[record.partition] = max(last.get(record.partition, 0), record.offset)
        committed = self.log.committed(RECOMMENDER_GROUP, PROFILES)
        return all(committed.get(partition, 0) > offset for partition, offset in last.items())

    def tails(self) -> str:
        return "\n".join(f"--- {role.name}\n{role.tail()}" for role in self.roles)

    def close(self) -> None:
        for role in self.roles:
            role.close()
        self.log.close()


def variables(settings: LogSettings) -> dict[str, str]:
    """The settings of the log as an operator would give them to a role."""
    return {
        "SIZEWISE_LOG__LOCATION": settings.location,
        "SIZEWISE_LOG__PARTITIONS": str(PARTITIONS),
        "SIZEWISE_LOG__SESSION_S": str(settings.session_s),
        "SIZEWISE_LOG__SQLITE_SYNCHRONOUS": settings.sqlite_synchronous,
        "SIZEWISE_LOG__KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
    }


def wait_for(done: Callable[[], bool], timeout_s: float, why_not: Callable[[], str]) -> None:
    """Return when it is so. A log that is away at the moment means not yet."""
    deadline = time.monotonic() + timeout_s
    while True:
        with suppress(LogUnavailableError):
            if done():
                return
        assert time.monotonic() < deadline, f"not within {timeout_s} s:\n{why_not()}"
        time.sleep(0.1)
