"""Settings of the log, and what they open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stream.open import open_log
from stream.settings import KafkaSettings, LogSettings
from stream.sqlite_log import SqliteLog


def test_a_location_says_which_log_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, relative or of the home folder; or brokers, with spaces forgiven."""
    monkeypatch.setenv("HOME", "/home/ada")
    assert LogSettings("sqlite:data/log.db").path == Path("data/log.db")
    assert LogSettings("sqlite:~/log.db").path == Path("/home/ada/log.db")
    assert LogSettings("kafka:a:9092, b:9092").bootstrap == ("a:9092", "b:9092")


@pytest.mark.parametrize("location", ["", "log.db", "sqlite:", "kafka:", "redis:localhost"])
def test_another_location_is_refused(location: str) -> None:
    """The error shows what was given and what would do."""
    with pytest.raises(ValueError, match=f"log location '{location}' is neither sqlite:PATH nor kafka:HOST:PORT"):
        LogSettings(location)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"partitions": -1}, "partitions is -1; it must be 1 to 10,000"),
        ({"partitions": 10_001}, "partitions is 10001"),
        ({"session_s": 0.5}, "session_s is 0.5; it must be at least 1"),
    ],
)
def test_a_number_out_of_range_is_refused(change: dict[str, float], message: str) -> None:
    """Named, with its range."""
    with pytest.raises(ValueError, match=message):
        LogSettings(**change)


def test_security_options_that_do_not_go_together_are_refused() -> None:
    """A login without a mechanism, and a certificate without its key."""
    with pytest.raises(ValueError, match="SASL_SSL needs sasl_mechanism"):
        KafkaSettings(security_protocol="SASL_SSL")
    with pytest.raises(ValueError, match="ssl_certfile and ssl_keyfile go together"):
        KafkaSettings(ssl_certfile="client.pem")


def test_a_password_is_not_shown() -> None:
    """Settings end up in messages and logs."""
    assert "hunter2" not in repr(
        LogSettings(kafka=KafkaSettings(sasl_plain_password="hunter2", ssl_password="hunter2"))
    )


def test_a_file_is_opened_and_its_folder_made(tmp_path: Path) -> None:
    """`sqlite:` opens the SQLite log, in a folder that need not be there."""
    log = open_log(LogSettings(f"sqlite:{tmp_path}/new/folder/log.db"))
    assert isinstance(log, SqliteLog)
    log.close()
    assert (tmp_path / "new" / "folder" / "log.db").exists()


def test_a_file_does_not_load_the_kafka_client(tmp_path: Path) -> None:
    """kafka-python takes 20 MB and a tenth of a second: who has a file does not pay for it; nor for numpy."""
    code = (
        "import sys; from stream.open import open_log; from stream.settings import LogSettings\n"
        f"open_log(LogSettings('sqlite:{tmp_path}/log.db')).close()\n"
        "print({'kafka', 'numpy', 'pyarrow'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
