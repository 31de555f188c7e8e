"""Kills roles at random, by the clock and by fuses, and starts them again at once."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Sequence

from tests.faults.fuse import Fuse
from tests.faults.roles import Role

_CONSUMER = ("stream/consume.py",)
_PARTS = {
    "collect": ("collector/outbox.py", "collector/sender.py", "collector/replay.py"),
    "profile": (*_CONSUMER, "profiler/service.py", "profiler/partition.py"),
    "recommend": (*_CONSUMER, "recommender/service.py", "recommender/slabs.py"),
}
_LOG_PARTS = {
    "sqlite": ("stream/sqlite_log/", "stream/sqlite_log/database.py", "stream/sqlite_log/appending.py"),
    "kafka": ("stream/kafka_log/", "stream/kafka_log/transaction.py", "stream/kafka_log/writer.py"),
}
_MOST_STEPS = 1000


class Chaos:
    """Every role gets a random lifetime, and most lives have a fuse in a random part of the code that it runs."""

    def __init__(self, roles: Sequence[Role], log: str, mean_life_s: float, seed: int) -> None:
        """`log` is `sqlite` or `kafka`."""
        self._roles = list(roles)
        self._log = log
        self._mean_life_s = mean_life_s
        self._chance = random.Random(seed)
        self._ends: dict[Role, float] = {}
        self.kills: Counter[str] = Counter()
        """By role."""

    def run(self, kills: int) -> None:
        """Kill until it was done so many times. Everybody lives at the end, but for what had played to its end. A role
        that dies of anything but SIGKILL is a failure."""
        for role in self._roles:
            self._bear(role)
        while self.kills.total() < kills:
            time.sleep(0.002)
            for role in self._roles:
                self._look(role)
        for role in self._roles:
            role.kill()
            role.start()

    def _look(self, role: Role) -> None:
        code = role.exit_code
        if code is None and time.monotonic() > self._ends[role]:
            role.kill()
            code = role.exit_code
        if code == -signal.SIGKILL:
            self.kills[role.name] += 1
            self._bear(role)
        assert code in (None, 0, -signal.SIGKILL), f"{role.name} died of {code}:\n{role.tail()}"

    def _bear(self, role: Role) -> None:
        self._ends[role] = time.monotonic() + self._chance.expovariate(1 / self._mean_life_s)
        role.start(self._fuse(role) if self._chance.random() < 0.6 else None)

    def _fuse(self, role: Role) -> Fuse:
        """As often in the first ten steps as in the next hundred: a start, a first commit, a later one."""
        part = self._chance.choice(_PARTS[role.name.partition("-")[0]] + _LOG_PARTS[self._log])
        return Fuse(part, round(_MOST_STEPS ** self._chance.random()))
