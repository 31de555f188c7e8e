"""Intakes that are closed when their test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from collector.listen_settings import ListenSettings
from models.metrics import Meter
from tests.collector.listen.box import Box

MakeBox = Callable[..., Box]


@pytest.fixture
def make_box(tmp_path: Path) -> Iterator[MakeBox]:
    """Each box has a folder of its own."""
    with ExitStack() as stack:

        def make(settings: ListenSettings | None = None, meter: Meter | None = None) -> Box:
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            folder.mkdir()
            return stack.enter_context(Box(folder, settings, meter))

        yield make


@pytest.fixture
def box(make_box: MakeBox) -> Box:
    return make_box()
