"""Kills roles at random, by the clock and by fuses, and starts them again at once."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence

from tests.faults.fuse import Fuse
from tests.faults.roles import Role

_PARTS = {
    "collect": ("collector/outbox.py", "collector/sender.py", "collector/replay.py"),
    "profile": ("stream/consume.py", "profiler/service.py", "profiler/partition.py"),
    "recommend": ("stream/consume.py", "recommender/service.py", "recommender/slabs.py"),
    "sqlite": ("stream/sqlite_log/",),
    "kafka": ("stream/kafka_log/",),
}
"""What a role runs, and what it runs of its log."""
_AIMS = {
    "collect": ("collector/outbox.py:_transaction", "collector/outbox.py:_forget", "collector/sender.py:send"),
    "profile": ("stream/consume.py:_commit", "profiler/partition.py:checkpoint", "stream/consume.py:assigned"),
    "recommend": ("stream/consume.py:_commit", "recommender/slabs.py:decide", "stream/consume.py:assigned"),
    "sqlite": ("stream/sqlite_log/database.py:_ending", "stream/sqlite_log/appending.py:append"),
    "kafka": (
        "stream/kafka_log/transaction.py:run",
        "stream/kafka_log/transaction.py:_step",
        "stream/kafka_log/internals.py:await_step",
        "stream/kafka_log/writer.py:_send",
    ),
}
"""Where something is written, confirmed, taken over or forgotten."""
_MOST_STEPS, _MOST_AIMED_STEPS = 3000, 60


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

    def run(self, kills: int, progress: Callable[[], int]) -> None:
        """Kill until it was done so many times, and until a fuse has killed everybody at least once: on a busy machine
        the clock ends most lives first. A role that dies of anything but SIGKILL is a failure. Whenever a quarter of
        the kills saw no progress, lives become twice as long. At the end everybody is started once more."""
        for role in self._roles:
            self._bear(role)
        before = progress()
        for quarter in range(1, 5):
            while self.kills.total() < kills * quarter // 4:
                time.sleep(0.002)
                for role in self._roles:
                    self._look(role)
            now = progress()
            if now == before:
                self._mean_life_s *= 2
            before = now
        while any(role.exit_code != 0 and not role.blown() for role in self._roles):  # 0: it played all it had
            time.sleep(0.05)
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
        """Half of them anywhere, as often in the first ten steps as in the next hundred: starts are full of steps. Half
        of them close to a commit, of the first ones in a life."""
        kind, chance = role.name.partition("-")[0], self._chance
        if chance.random() < 0.5:
            return Fuse(chance.choice(_PARTS[kind] + _PARTS[self._log]), "", round(_MOST_STEPS ** chance.random()))
        part, _, function = chance.choice(_AIMS[kind] + _AIMS[self._log]).partition(":")
        return Fuse(part, function, chance.randint(1, _MOST_AIMED_STEPS))
