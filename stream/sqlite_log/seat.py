"""One member's seat in a group: its leases on partitions, and the right to as many as are due to it.

Members are ranked by the order in which they came; with P partitions and M members each is due P // M, and the first
P % M one more. A member takes only partitions that nobody has, and gives up what it has too many, so that a partition
never has two owners. Whoever looks first expels members that are dead or have not polled for `session_s`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from stream.contract import FencedError
from stream.sqlite_log.catalogue import StreamRow
from stream.sqlite_log.database import Database
from stream.sqlite_log.pulse import Pulse, bury, has_stopped

LOOK_S = 0.5
"""How often a member looks whether others have died: two system calls for each."""
_NONE = -1


@dataclass(frozen=True, slots=True)
class Claim:
    """What a member has leases on. `kept`: without a break since it was told of them; `taken`: newly; `surplus`: of
    both, those that it has too many."""

    kept: frozenset[int]
    taken: frozenset[int]
    surplus: frozenset[int]


class Seat:
    """`clock_s` is `time.monotonic`, which all processes of a machine share and nobody sets back."""

    def __init__(
        self, database: Database, group: str, stream: StreamRow, session_s: float, clock_s: Callable[[], float]
    ) -> None:
        self._database = database
        self._stream = stream
        self._session_s = session_s
        self._clock_s = clock_s
        self._folder = Path(f"{database.path}-members")
        self._member = _NONE
        self._epoch = -1
        self._next_look_s = self._renew_at_s = 0.0
        with database.write() as tx:
            tx.execute("INSERT OR IGNORE INTO groups (name, stream_id) VALUES (?, ?)", (group, stream.id))
            row = tx.execute("SELECT id FROM groups WHERE name = ? AND stream_id = ?", (group, stream.id)).fetchone()
        self.group_id: int = row[0]
        self._pulse = Pulse(self._folder)

    def unsettled(self, file_changed: bool) -> bool:
        """Whether `claim` may change something: others came or went, or this member must show that it lives."""
        now_s = self._clock_s()
        look = now_s >= self._next_look_s
        if now_s >= self._renew_at_s or not (file_changed or look):
            return now_s >= self._renew_at_s
        with self._database.read() as tx:
            if self._read_epoch(tx) != self._epoch:
                return True
            members = self._members(tx) if look else []
        self._next_look_s = now_s + LOOK_S if look else self._next_look_s
        return any(self._is_dead(member, now_s) for member in members)

    def claim(self) -> Claim:
        """Expel the dead, renew, take free partitions that are due."""
        now_s = self._clock_s()
        with self._database.write() as tx:
            dead = self._expel(tx, now_s)
            member = self._enter(tx, now_s)
            leases = self._leases(tx)
            kept = sorted(p for p, owner in leases.items() if owner == member)
            free = [p for p in range(self._stream.partitions) if p not in leases]
            due = self._due(tx, member)
            taken = free[: max(0, due - len(kept))]
            tx.executemany("INSERT INTO leases VALUES (?, ?, ?)", [(self.group_id, p, member) for p in taken])
            epoch = self._read_epoch(tx)
        # only now: an id that was rolled back goes to another member, and must not be taken for this one's
        self._member, self._epoch, self._renew_at_s = member, epoch, now_s + self._session_s / 3
        for pulse in dead:
            bury(self._folder, pulse)
        return Claim(frozenset(kept), frozenset(taken), frozenset(kept[due:]))

    def leases(self) -> frozenset[int]:
        """What this member has leases on now."""
        with self._database.read() as tx:
            return frozenset(p for p, member in self._leases(tx).items() if member == self._member)

    def release(self, partitions: Collection[int]) -> None:
        """Let others have these."""
        with self._database.write() as tx:
            tx.executemany(
                "DELETE FROM leases WHERE group_id = ? AND partition = ? AND member_id = ?",
                [(self.group_id, partition, self._member) for partition in partitions],
            )
            self._announce(tx)

    def require(self, tx: sqlite3.Connection, partitions: Collection[int]) -> None:
        """Raise FencedError unless this member has leases on all of these; then its time begins anew."""
        leases = self._leases(tx)
        foreign = sorted(p for p in partitions if leases.get(p) != self._member)
        if foreign:
            raise FencedError(
                f"{self._stream.name}: partitions {foreign} are not this member's any more; nothing was committed. "
                "Drop their state: their owner goes on from the last commit"
            )
        self._renew(tx, self._clock_s())

    def leave(self) -> None:
        """Give up the seat and all leases."""
        try:
            with self._database.write() as tx:
                self._remove(tx, self._member)
        finally:
            self._pulse.stop()

    def _enter(self, tx: sqlite3.Connection, now_s: float) -> int:
        """Renew, or come (again) as the newest member. Returns this member's id."""
        if self._renew(tx, now_s):
            return self._member
        self._announce(tx)
        [member] = tx.execute(
            "INSERT INTO members (group_id, pulse, expires_s) VALUES (?, ?, ?) RETURNING id",
            (self.group_id, self._pulse.name, now_s + self._session_s),
        ).fetchone()
        return int(member)

    def _renew(self, tx: sqlite3.Connection, now_s: float) -> bool:
        expires_s = now_s + self._session_s
        return tx.execute("UPDATE members SET expires_s = ? WHERE id = ?", (expires_s, self._member)).rowcount == 1

    def _expel(self, tx: sqlite3.Connection, now_s: float) -> list[str]:
        """Remove dead members; returns their pulses."""
        dead = [member for member in self._members(tx) if self._is_dead(member, now_s)]
        for member_id, _, _ in dead:
            self._remove(tx, member_id)
        return [pulse for _, pulse, _ in dead]

    def _remove(self, tx: sqlite3.Connection, member: int) -> None:
        tx.execute("DELETE FROM leases WHERE group_id = ? AND member_id = ?", (self.group_id, member))
        tx.execute("DELETE FROM members WHERE id = ?", (member,))
        self._announce(tx)

    def _announce(self, tx: sqlite3.Connection) -> None:
        tx.execute("UPDATE groups SET epoch = epoch + 1 WHERE id = ?", (self.group_id,))

    def _read_epoch(self, tx: sqlite3.Connection) -> int:
        return int(tx.execute("SELECT epoch FROM groups WHERE id = ?", (self.group_id,)).fetchone()[0])

    def _members(self, tx: sqlite3.Connection) -> list[tuple[int, str, float]]:
        """Id, pulse and end of life of every member, in the order in which they came."""
        return tx.execute(
            "SELECT id, pulse, expires_s FROM members WHERE group_id = ? ORDER BY id", (self.group_id,)
        ).fetchall()

    def _is_dead(self, member: tuple[int, str, float], now_s: float) -> bool:
        member_id, pulse, expires_s = member
        return member_id != self._member and (expires_s < now_s or has_stopped(self._folder, pulse))

    def _leases(self, tx: sqlite3.Connection) -> dict[int, int]:
        return dict(tx.execute("SELECT partition, member_id FROM leases WHERE group_id = ?", (self.group_id,)))

    def _due(self, tx: sqlite3.Connection, member: int) -> int:
        """How many partitions are due to this member of the group."""
        members = [member_id for member_id, _, _ in self._members(tx)]
        each, more = divmod(self._stream.partitions, len(members))
        return each + (members.index(member) < more)
