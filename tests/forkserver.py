"""Processes that start in milliseconds: a server imports everything once and forks for each of them.

So 200 kills cost 200 forks and not 200 times a second of imports."""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import ForkServerContext

_PRELOAD = (
    "pytest",
    "tests.faults.roles",
    "tests.profiler.profiler_process",
    "sizewise.__main__",
    "sizewise.commands.collect",
    "sizewise.commands.profile",
    "sizewise.commands.recommend",
    "sizewise.commands.replay",
    "stream.kafka_log",
    "stream.sqlite_log",
)


def server() -> ForkServerContext:
    """Starts with the first process that is forked, one for all tests. It ends with this process, and they with it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOAD))
    return context
