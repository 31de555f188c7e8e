"""Rubbish on real logs, between good messages, while everybody works."""

from __future__ import annotations

import re
import time
import urllib.request
from collections import Counter

from deploy.services.process import free_port
from stream.contract import EventLog, Message
from stream.settings import LogSettings
from stream.streams import DEAD_LETTERS, PROFILES, TELEMETRY
from tests.faults.conftest import Install
from tests.faults.installation import PARTITIONS, wait_for
from tests.faults.load import Load
from tests.faults.outcome import Outcome, count, outcome, read, reasons, recommendations
from tests.faults.rubbish import WORKLOAD, Stranger, expected

TORN = 40


def send(log: EventLog, stream: str, messages: list[Message]) -> None:
    writer = log.writer()
    writer.append(stream, messages)
    writer.flush(30)
    writer.close()


def counted(port: int, stage: str) -> Counter[str]:
    """Dead letters by reason, as the stage's /metrics has them."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found = re.findall(
        rf'^sizewise_stage_dead_letters_total{{reason="(.*)",stage="{stage}"}} (.*)$', text, re.MULTILINE
    )
    return Counter({reason: int(float(amount)) for reason, amount in found})


def test_rubbish_is_named_counted_and_harms_nobody(
    log_settings: LogSettings, install: Install, load: Load, undisturbed: Outcome
) -> None:
    """One message of each kind and 40 torn ones, between good ones of the same producer: each is a dead letter with its
    reason and its bytes, the counter says so, and whatever is good counts, to the bit."""
    made = install(log_settings, load, profilers=1)
    port = free_port()
    made.profilers[0].words += ["--metrics-port", str(port)]
    made.play_in(3)
    made.start()
    stranger = Stranger(time.time_ns() // 1_000_000, PARTITIONS)
    first, bad = stranger.good(), list(stranger.one_of_each())
    second, torn = stranger.good(), list(stranger.torn(TORN, seed=1))
    send(made.log, TELEMETRY, [first, *(message for _, message in bad), second, *torn, stranger.good()])
    for collector in made.collectors:
        collector.join(60)
    wait_for(made.profiled, 60, made.tails)
    found = reasons(made.log)
    assert found - expected(bad) <= Counter({"malformed": TORN, "truncated": TORN})
    assert found.total() == len(bad) + TORN
    assert counted(port, "profiler") == found
    made.finish()
    ended = outcome(made.log)
    rows = count(ended.profiles, "rows")
    assert rows.pop(WORKLOAD) == stranger.good_rows
    assert {name: fields for name, fields in ended.profiles.items() if name != WORKLOAD} == undisturbed.profiles
    kept = [(r.headers["stream"], r.value) for r in read(made.log, DEAD_LETTERS)]
    assert Counter(kept) == Counter((TELEMETRY, message.value) for message in [*(m for _, m in bad), *torn])


def test_rubbish_among_profiles_does_not_stop_the_recommender(
    log_settings: LogSettings, install: Install, load: Load, undisturbed: Outcome
) -> None:
    """Slabs that are no slabs, of keys that no profiler uses: three dead letters, and every recommendation is there."""
    made = install(log_settings, load, profilers=1)
    port = free_port()
    made.recommender.words += ["--metrics-port", str(port)]
    made.start()
    bad = [
        Message("slab/900", b"not a frame", {"schema": "profile/1"}, 1, 0),
        Message("slab/901", b"", {"schema": "profile/9"}, 1, 1),
        Message("slab/902", b"\x28\xb5\x2f\xfd", {"schema": "profile/1"}, 1, 2),
    ]
    wait_for(lambda: reachable(port), 30, made.tails)
    send(made.log, PROFILES, bad)
    for collector in made.collectors:
        collector.join(60)
    wait_for(made.profiled, 60, made.tails)
    wait_for(made.recommended, 60, made.tails)
    assert counted(port, "recommender").total() == len(bad)
    letters = [(r.headers["stream"], r.value) for r in read(made.log, DEAD_LETTERS)]
    assert Counter(letters) == Counter((PROFILES, message.value) for message in bad)
    made.finish()
    assert recommendations(made.log) == undisturbed.recommendations


def reachable(port: int) -> bool:
    try:
        return counted(port, "recommender") is not None
    except OSError:
        return False
