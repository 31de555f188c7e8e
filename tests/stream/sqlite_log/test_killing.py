"""SIGKILL at any instant: the log is whole, and offsets and messages have moved together."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from models.workload import partition_of
from stream.contract import FencedError, Message, StreamSpec
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


def share_for_ever(path: str) -> None:
    """A member of a group that copies what it owns: each commit moves the offsets and appends what was read, and what it
    loses or gives up in between is committed by nobody."""
    log = SqliteLog(Path(path), "normal", session_s=0.3)
    member = Member(log, "sharers", "in")
    print("up", flush=True)
    while True:
        if records := member.poll(0.05, max_records=7):
            with contextlib.suppress(FencedError):
                member.subscription.commit(
                    {record.partition: record.offset + 1 for record in records},
                    {"out": [Message("o", record.value) for record in records]},
                )


def test_members_that_are_killed_and_stopped_share_without_loss(tmp_path: Path) -> None:
    """Three processes share four partitions; at random one of them is killed and replaced, or put to sleep for longer
    than its session and woken. In the end every message was copied exactly once, and in the order of its partition."""
    path = tmp_path / "log.db"
    log = SqliteLog(path, "normal", session_s=0.3)
    log.ensure([kept_a_day("in", 4), kept_a_day("out", 1)])
    chance = random.Random(2)
    children = [start(share_for_ever, path) for _ in range(3)]
    for step in range(16):
        send(log, "in", numbered(200, start=200 * step))
        time.sleep(chance.uniform(0.0, 0.2))
        victim = chance.randrange(3)
        if chance.random() < 0.5:
            kill(children[victim])
            children[victim] = start(share_for_ever, path)
        else:
            children[victim].send_signal(signal.SIGSTOP)
            time.sleep(0.4)
            children[victim].send_signal(signal.SIGCONT)
    while sum(log.committed("sharers", "in").values()) < 16 * 200:
        time.sleep(0.05)
    for child in children:
        kill(child)
    copied = [int(value or b"") for value in values(read(log, "out"))]
    assert sorted(copied) == list(range(16 * 200))
    for partition in range(4):
        mine = [i for i in copied if partition_of(f"key-{i}", 4) == partition]
        assert mine == sorted(mine)
    log.close()


def start(work: Callable[[str], None], path: Path) -> subprocess.Popen[bytes]:
    """A process that does this work, once it is at it."""
    code = f"from {__name__} import {work.__name__} as work; work({str(path)!r})"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    return child


def kill(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGKILL)
    child.communicate()


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
        child = start(copy_for_ever, path)
        time.sleep(chance.uniform(0.0, 0.05))
        kill(child)
        done = log.committed("copiers", "in").get(0, 0)
        seen.add(done)
        assert values(read(log, "out")) == [str(i).encode() for i in range(done)]
        assert values(read(log, "state")) == ([str(done).encode()] if done else [])
    assert len(seen) > KILLS // 4, "the kills came before anything was copied"
    log.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
