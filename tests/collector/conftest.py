"""Logs to collect into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.contract import EventLog
from stream.open import open_log
from stream.settings import LogSettings
from stream.streams import stream_specs

PARTITIONS = 4


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    """An empty SQLite log with every stream."""
    opened = open_log(LogSettings(f"sqlite:{tmp_path / 'log.db'}", sqlite_synchronous="normal"))
    opened.ensure(stream_specs(PARTITIONS))
    yield opened
    opened.close()
