"""Several processes run the tests (`-n`): how many, which tests stay together, and what begins."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

_TOGETHER = ("tests/faults/", "tests/stream/", "tests/kubernetes/")
"""Folders whose tests share a broker or a control plane, and would start one per process. They take longest, so they begin.
Any other file is given to the next process that is free."""
_SERVICES = ("_broker", "_cluster", "_home")
"""How the fixtures of `tests.services.plugin` end."""
_MOST_WORKERS = 8
"""Beyond that the longest folder decides."""


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: one per core, and two at least, since tests wait for half of their time. Two per core starved the brokers
    that some of them start: members that had to be back within seconds after an outage were not."""
    return min(max(len(os.sched_getaffinity(0)), 2), _MOST_WORKERS)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Together:
    config.option.loadscopereorder = False  # it would begin with the most tests, which are the quickest
    return Together(config, log)  # type: ignore[arg-type]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What waits begins, and what computes fills the cores; the files of that are short, so that all end together."""
    _tell_apart(items)
    if hasattr(config, "workerinput"):
        waiting = {item.path for item in items if _waits(item)}
        items.sort(key=lambda item: (not item.nodeid.startswith(_TOGETHER), item.path not in waiting))


def _tell_apart(items: list[pytest.Item]) -> None:
    """Schemathesis gives its operations names and one id, and of tests with one id only one would run."""
    told = Counter(item.nodeid for item in items)
    for item in items:
        if told[item.nodeid] > 1 and item.parent is not None:
            item._id = item.parent.id.child(item.name)


def _waits(item: pytest.Item) -> bool:
    return "slow" in item.keywords or any(name.endswith(_SERVICES) for name in getattr(item, "fixturenames", ()))


class Together(LoadScopeScheduling):
    """Keeps a folder of `_TOGETHER`, and any other file, in one process."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in _TOGETHER if nodeid.startswith(folder)), nodeid.partition("::")[0])

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Raises pytest.UsageError when a test would not run because another has its id."""
        if twice := [nodeid for nodeid, times in Counter(collection).items() if times > 1]:
            raise pytest.UsageError(f"several tests have the id {', '.join(twice)}")
        super().add_node_collection(node, collection)
