"""SIGKILL at any instant: the log is whole, and offsets and messages have moved together."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from stream.contract import Message, StreamSpec
from stream.sqlite_log import SqliteLog
from tests.stream.conformance.members import Member, kept_a_day, numbered, read, send, values

KILLS = 40
MESSAGES = 20_000


def copy_for_ever(path: str) -> None:
    """What a stage does, in a process that will be killed: read `in`, append to `out`, remember the count in `state`."""
    log = SqliteLog(Path(path), "normal")
    member = Member(log, "copiers", "in")
    print("up", flush=True)
    while True:
        if records := member.poll(0.05, max_records=7):
            newest = records[-1].offset + 1
            member.subscription.commit(
                {0: newest},
                {"out": [Message("o", r.value) for r in records], "state": [Message("count", str(newest).encode())]},
            )


def test_forty_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    """A copying member is killed at 40 random instants. After each kill the file passes SQLite's own check, and what was
    copied is exactly the first n messages, where n is the committed offset and the count in the state."""
    path = tmp_path / "log.db"
    log = SqliteLog(path, "normal")
    log.ensure([kept_a_day("in", 1), kept_a_day("out", 1), StreamSpec("state", 1, compacted=True)])
    send(log, "in", numbered(MESSAGES))
    chance = random.Random(1)
    seen = set()
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import copy_for_ever; copy_for_ever({str(path)!r})"],
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        time.sleep(chance.uniform(0.0, 0.05))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        done = log.committed("copiers", "in").get(0, 0)
        seen.add(done)
        assert values(read(log, "out")) == [str(i).encode() for i in range(done)]
        assert values(read(log, "state")) == ([str(done).encode()] if done else [])
    assert len(seen) > KILLS // 4, "the kills came before anything was copied"
    log.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
