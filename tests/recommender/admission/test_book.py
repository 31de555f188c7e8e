"""The webhook's own view of the log."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from bench.webhook_log import append, slab_messages, workload_id, write_log
from models.columns import Columns, empty_arrays
from models.metrics import NullMeter
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.admission.book import SizeBook
from recommender.admission.follow import BookFollower
from recommender.recommendation_id import recommendation_id
from stream.contract import Message
from stream.open import open_log


def slab(*workloads: str, target: float = 1.0) -> Columns:
    arrays = empty_arrays(RECOMMENDATION_FIELDS, len(workloads))
    arrays["computed_ms"][:] = 7
    arrays["target"][:] = target
    return Columns(RECOMMENDATION_FIELDS, list(workloads), arrays)


def test_advice_is_found_by_id() -> None:
    """With the recommendation's own id, which follows from the workload and its time."""
    book = SizeBook()
    book.put((0, "slab/0"), slab("c/n/Deployment/a/x", "c/n/Deployment/b/x", target=2.0))
    found = book.advice("c/n/Deployment/b/x")
    assert found is not None
    assert (found.id, found.resources[0].target) == (recommendation_id("c/n/Deployment/b/x", 7), 2.0)
    assert book.advice("c/n/Deployment/z/x") is None


def test_a_slab_that_is_decided_anew_is_swapped() -> None:
    """Same workloads, new targets."""
    book = SizeBook()
    for target in (1.0, 3.0):
        book.put((0, "slab/0"), slab("c/n/Deployment/a/x", target=target))
    found = book.advice("c/n/Deployment/a/x")
    assert found is not None
    assert found.resources[0].target == 3.0
    assert len(book) == 1


def test_workloads_come_go_and_move() -> None:
    """`a` moves to another slab, `b` is gone with the first, `d` with its slab."""
    book = SizeBook()
    a, b, d = (f"c/n/Deployment/{name}/x" for name in "abd")
    book.put((0, "slab/0"), slab(a, b))
    book.put((0, "slab/1"), slab(d))
    book.put((0, "slab/2"), slab(a, target=5.0))
    book.put((0, "slab/0"), slab())
    book.drop((0, "slab/1"))
    found = book.advice(a)
    assert found is not None
    assert found.resources[0].target == 5.0
    assert (book.advice(b), book.advice(d), len(book)) == (None, None, 1)


@pytest.mark.parametrize(
    ("wanted", "clusters", "cluster"),
    [("", ["c"], "c"), ("", ["c", "d"], ""), ("d", ["c"], "d"), ("", [], ""), ("", ["a%2Fb"], "a/b")],
)
def test_the_only_cluster_of_the_log_is_ours(wanted: str, clusters: list[str], cluster: str) -> None:
    """With two of them nobody knows which, unless settings say so."""
    book = SizeBook(wanted)
    book.put((0, "slab/0"), slab(*(f"{name}/n/Deployment/a/x" for name in clusters)))
    assert book.cluster == cluster


def test_a_follower_loads_the_log_then_follows_it(tmp_path: Path) -> None:
    """600 workloads in three slabs; then all are decided a second later; then one slab is dropped and a message that cannot
    be read changes nothing."""
    settings = write_log(tmp_path / "log.db", 600)
    log, book, loaded, stop = open_log(settings), SizeBook(), threading.Event(), threading.Event()
    follower = BookFollower(log, book, NullMeter(), time.time, loaded.set)
    thread = threading.Thread(target=follower.run, args=(stop,))
    thread.start()
    try:
        assert loaded.wait(10)
        assert len(book) == 600
        before = book.advice(workload_id(599))
        append(log, slab_messages(600, settings.partitions_made, later_ms=1000))
        _until(lambda: book.advice(workload_id(599)) != before)
        broken = Message("slab/0", b"no frame", {"schema": "recommendation/1"}, 0, 0)
        append(log, iter([broken, Message("slab/0", None, {}, 0, 1)]))
        _until(lambda: len(book) == 600 - 256)
        assert book.advice(workload_id(0)) is not None
    finally:
        stop.set()
        thread.join()
        log.close()


def _until(right: object) -> None:
    assert callable(right)
    end_s = time.monotonic() + 10
    while not right():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_nothing_but_what_a_review_reads_is_kept() -> None:
    """Copies, so that the unpacked message can go."""
    book, source = SizeBook(), slab("c/n/Deployment/a/x")
    book.put((0, "slab/0"), source)
    source.arrays["target"][:] = np.nan
    found = book.advice("c/n/Deployment/a/x")
    assert found is not None
    assert found.resources[0].target == 1.0
