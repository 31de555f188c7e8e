"""`sizewise report NAME --picture FILE`."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from models.histogram import to_log_code
from sizewise.__main__ import cli
from sizewise.exits import USAGE, Exit
from sizewise.picture import draw
from sizewise.process import opened
from stream import schemas
from stream.columns_codec import encode_columns
from stream.contract import Message
from stream.settings import LogSettings
from tests.recommender.view_columns import GIB, profiles, recommendations

CART, CARD = "prod/shop/Deployment/cart/server", "prod/shop/Deployment/card/server"
DAY_MS = 86_400_000


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log with two workloads and two days of targets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIZEWISE_STATE", str(tmp_path))
    days = np.zeros((2, 2, 32), dtype=np.uint16)
    days[:, 1, [19, 20]] = to_log_code(np.array([2 * GIB, 3 * GIB]))
    advice = recommendations(
        [CART, CARD], computed_ms=20 * DAY_MS, action=1, target=[[1, GIB]] * 2, history_day=20, target_days=days
    )
    with opened(LogSettings(f"sqlite:{tmp_path / 'log.db'}")) as log:
        writer = log.writer()
        for stream, columns, schema in (
            ("profiles", profiles([CART, CARD]), schemas.PROFILE),
            ("recommendations", advice, schemas.RECOMMENDATION),
        ):
            writer.append(stream, [Message("slab/0", encode_columns(columns), {"schema": schema}, 1, 0)])
        writer.flush(10)
        writer.close()
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["report", *words], standalone_mode=False)


def test_the_picture_of_one_workload_is_a_png(state: Path) -> None:
    """Its signature and its size: 9 x 6 inches at 120 dots."""
    result = run("cart", "--log", f"sqlite:{state / 'log.db'}", "--picture", "cart.png")
    assert result.exception is None
    png = (state / "cart.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (1080, 720)


def test_two_that_match_are_asked_to_be_named_closer(state: Path) -> None:
    result = run("car", "--log", f"sqlite:{state / 'log.db'}", "--picture", "both.png")
    assert isinstance(result.exception, Exit)
    assert result.exception.exit_code == USAGE
    assert not (state / "both.png").exists()


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    nothing = {measure: [None] for measure in ("request", "target", "usage_p50", "usage_p95", "usage_peak")}
    series = {"id": CART, "days": ["2026-01-31"], "cpu_cores": nothing, "memory_bytes": nothing}
    with pytest.raises(Exit, match="cannot write"):
        draw(series, tmp_path / "no" / "such" / "folder.png")
