"""The command line, in this process and over a hand-made log."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import time
from pathlib import Path

import click
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result

from models.events import WorkloadEvent
from models.reasons import Action, Reason
from models.telemetry import TelemetryBatch
from sizewise.__main__ import COMMANDS, cli, main
from sizewise.exits import MEANINGS
from sizewise.process import opened
from stream import schemas
from stream.columns_codec import encode_columns
from stream.contract import Message
from stream.json_codec import encode_json
from stream.settings import LogSettings
from stream.telemetry_encoder import encode_telemetry
from tests.recommender.view_columns import GIB, profiles, recommendations

A, B = "prod/shop/Deployment/cart/server", "box/host/unit/postgresql.service/"
NAN = float("nan")
NOW_MS = 1_790_000_000_000


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder whose log holds two workloads, an event and three telemetry rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIZEWISE_STATE", str(tmp_path))
    made = recommendations(
        [A, B],
        computed_ms=NOW_MS,
        action=[[Action.LOWER, Action.RAISE], [Action.SET, Action.INSUFFICIENT]],
        reasons=[[int(Reason.PERCENTILE | Reason.SHORT_HISTORY), int(Reason.OOM_BUMP)], [0, 0]],
        request_now=[[2, GIB], [NAN, NAN]],
        target=[[0.25, 1.5 * GIB], [0.05, NAN]],
        lower=[[0.2, GIB], [0.04, NAN]],
        upper=[[0.5, 2 * GIB], [0.1, NAN]],
        usage_p50=[[0.1, GIB], [0.01, NAN]],
        usage_p95=[[0.2, GIB], [0.04, NAN]],
        usage_peak=[[0.3, 1.2 * GIB], [0.05, NAN]],
    )
    rows = TelemetryBatch(
        "cpu", {"workload": [A] * 3, "instance": ["i1"] * 3}, [NOW_MS] * 3, [1000] * 3, {"cpu_cores": [0.1, None, 0.3]}
    )
    profile, advice = encode_columns(profiles([A, B], last_seen_ms=NOW_MS)), encode_columns(made)
    event = encode_json(WorkloadEvent("oom-killed", A, "i1", "n1", NOW_MS))
    telemetry = encode_telemetry(rows)
    with opened(LogSettings(location=f"sqlite:{tmp_path / 'sizewise.db'}")) as log:
        writer = log.writer()
        for stream, key, value, schema in (
            ("profiles", "slab/0", profile, schemas.PROFILE),
            ("recommendations", "slab/0", advice, schemas.RECOMMENDATION),
            ("events", A, event, schemas.EVENT),
            ("telemetry", "p", telemetry, schemas.TELEMETRY["cpu"]),
        ):
            writer.append(stream, [Message(key, value, {"schema": schema}, NOW_MS, 0)])
        writer.flush(10)
        writer.close()
    return tmp_path


def run(*words: str) -> Result:
    """The command in this process; an error is raised as it would reach `main`."""
    return CliRunner().invoke(cli, list(words), catch_exceptions=False)


def code_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and standard error of `main`."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    code = ended.value.code
    assert isinstance(code, int)
    return code, capsys.readouterr().err


@pytest.mark.parametrize("width", ["80", "160"])
def test_the_report_fits_its_width_and_shows_what_to_do(state: Path, width: str) -> None:
    """No line is longer than the terminal; usage, request, target, action, saving and reasons are there."""
    text = run("report", "--width", width).output
    assert max(len(line) for line in text.splitlines()) <= int(width)
    for word in ("cart (server)", "200m", "2 -> 250m", "lower", "1.75", "1 GiB -> 1.5 GiB", "postgresql.service"):
        assert word in text
    assert "it was OOM-killed" in " ".join(text.split())
    assert "bounds are wide and narrow over a week" in " ".join(text.split())
    assert "requested 2 cores, needed 250m: 1.75 cores can be given back; 50m needed also by those without" in " ".join(
        text.split()
    )


def test_the_report_reads_the_same_in_every_format(state: Path) -> None:
    """json and yaml are the API's body; csv and markdown have a line per workload and resource."""
    body = json.loads(run("report", "-o", "json").output)
    assert yaml.safe_load(run("report", "-o", "yaml").output) == body
    rows = list(csv.DictReader(io.StringIO(run("report", "-o", "csv").output)))
    assert [(row["workload"], row["resource"], row["saving"]) for row in rows] == [
        (A, "cpu", "1.75"),
        (A, "memory", str(-0.5 * GIB)),
        (B, "cpu", ""),
        (B, "memory", ""),
    ]
    assert run("report", "-o", "markdown").output.count("\n") == 2 + 4


def test_the_report_filters(state: Path) -> None:
    """By part of a name, namespace and action."""
    assert [w["id"] for w in json.loads(run("report", "POST", "-o", "json").output)["workloads"]] == [B]
    assert [w["id"] for w in json.loads(run("report", "-n", "shop", "-o", "json").output)["workloads"]] == [A]
    assert [w["id"] for w in json.loads(run("report", "--action", "raise", "-o", "json").output)["workloads"]] == [A]


def test_streams_are_listed_with_lag(state: Path) -> None:
    """One telemetry message that no profiler has taken: lag 1."""
    rows = {row["stream"]: row for row in json.loads(run("log", "streams", "-o", "json").output)}
    assert (rows["telemetry"]["offsets"], rows["telemetry"]["lag"]) == (1, 1)
    assert rows["events"]["lag"] is None
    assert len(json.loads(run("log", "streams", "--partitions", "-o", "json").output)) == 5 * 2 + 5


def test_messages_are_shown_decoded(state: Path) -> None:
    """A telemetry message is its rows; a value that is missing is null."""
    rows = json.loads(run("log", "show", "telemetry", "-o", "json").output)
    assert [row["cpu_cores"] for row in rows] == [0.1, None, 0.3]
    assert json.loads(run("log", "show", "events", "-o", "json").output)[0]["kind"] == "oom-killed"
    advice = json.loads(run("log", "show", "recommendations", "-o", "json").output)
    assert advice[1]["target.memory"] is None


def test_streams_are_exported_by_the_name_of_the_file(state: Path) -> None:
    """Parquet has the declared columns even where all is null; CSV and JSON lines have a line per row."""
    assert run("log", "export", "telemetry", "t.parquet").exit_code == 0
    table = pq.read_table("t.parquet")
    assert table["cpu_cores"].to_pylist() == [0.1, None, 0.3]
    assert str(table.schema.field("memory_rss_bytes").type) == "double"
    run("log", "export", "events", "e.csv")
    assert next(csv.DictReader(Path("e.csv").read_text().splitlines()))["kind"] == "oom-killed"
    lines = run("log", "export", "telemetry", "-").stdout.splitlines()
    assert json.loads(lines[2])["cpu_cores"] == 0.3


def test_config_shows_values_and_where_they_came_from(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File with its line, variable, flag; secrets masked; --changed leaves the defaults out."""
    Path("sizewise.toml").write_text("[api]\nport = 9000\n[log.kafka]\nsasl_plain_password = 'hunter2'\n")
    monkeypatch.setenv("SIZEWISE_COLLECTOR__INTERVAL_S", "2")
    text = run("config", "--changed", "-o", "json").output
    rows = {row["key"]: (row["value"], row["from"]) for row in json.loads(text)}
    assert rows == {
        "api.port": (9000, "sizewise.toml line 2"),
        "log.kafka.sasl_plain_password": ("***", "sizewise.toml line 4"),
        "collector.interval_s": (2.0, "SIZEWISE_COLLECTOR__INTERVAL_S"),
    }
    assert "hunter2" not in run("config").output


MISTAKES = [
    (["nope"], 2, "No such command 'nope'. There are up"),
    (["reprot"], 2, "Did you mean 'report'?"),
    (["report", "--sort", "colour"], 2, "sort = 'colour': use one of saving"),
    (["report", "--log", "mysql:x"], 2, "neither sqlite:PATH nor kafka:HOST:PORT"),
    (["report", "--url", "ftp://x"], 2, "it begins with http:// or https://"),
    (["report", "--url", "http://127.0.0.1:1"], 3, "is `sizewise up` or `serve` running there?"),
    (["report", "nothing-like-that"], 4, "no workloads yet that match"),
    (["log", "show", "telemetry", "-p", "99"], 1, "telemetry has no partition 99; it has 2"),
    (["log", "show", "dead-letters"], 4, "dead-letters holds no message there"),
    (["log", "export", "events", "x.doc"], 2, "x.doc ends in .doc; name it .jsonl, .csv or .parquet"),
    (["serve", "--host", "0.0.0.0"], 2, "or say --insecure-anyone-may-read-everything"),
    (["serve", "--port", "99999"], 2, "port is 99999; a port is 0 to 65535"),
    (["collect", "--interval", "soon"], 2, "--interval: collector.interval_s = 'soon' does not fit"),
    (["replay", "missing.rec"], 1, "missing.rec"),
    (["replay", "missing.rec", "--speed", "fast"], 2, "'fast' is neither a number above 0 nor max"),
]


@pytest.mark.parametrize(("words", "code", "message"), MISTAKES)
def test_a_mistake_is_one_line_with_the_mend_and_a_documented_code(
    state: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    """No traceback, one line on standard error, and the exit code that --help explains."""
    found, text = code_of(words, capsys)
    assert (found, text.count("\n")) == (code, 1)
    assert text.startswith("sizewise: ")
    assert message in text
    assert code in MEANINGS


def test_debug_shows_the_traceback(state: Path) -> None:
    """Wherever the flag stands."""
    with pytest.raises(Exception, match="neither sqlite:PATH"):
        main(["report", "--log", "mysql:x", "--debug"])


def every_command() -> list[list[str]]:
    """The words of every command and subcommand."""
    found = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        found.append([name])
        if isinstance(command, click.Group):
            found += [[name, sub] for sub in command.commands]
    return found


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_help_teaches_by_example(words: list[str]) -> None:
    """Each command says what it is for, and shows at least one line to copy."""
    text = run(*words, "--help").output
    assert "Examples:" in text
    assert f"  sizewise {words[0]}" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("words", [("report",), ("log", "streams"), ("train", "fingerprint", "--out", "m")])
def test_looking_for_a_log_does_not_make_one(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A mistyped path is named, with the mend, and leaves no file behind."""
    path = tmp_path / "mistyped.db"
    result = run(*words, "--log", f"sqlite:{path}")
    assert result.exit_code == 4
    assert f"there is no log at {path}" in result.output
    assert not path.exists()


def test_a_collector_loads_no_web_server_and_no_columns() -> None:
    """`sizewise collect` imports collector, stream and models only: it must stay under 60 MB on every node."""
    script = (
        "import sys, sizewise.__main__ as m, click\n"
        "m.cli.get_command(click.Context(m.cli), 'collect')\n"
        "import stream.kafka_log, stream.sqlite_log.log, collector.host.source\n"
        "print(' '.join(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    heavy = {"numpy", "pandas", "pyarrow", "xgboost", "sklearn", "fastapi", "uvicorn", "rich", "orjson", "pydantic"}
    assert loaded & heavy == set()
    rooms = {name.split(".")[0] for name in loaded} & {"collector", "profiler", "recommender", "bench", "dashboards"}
    assert rooms == {"collector"}


def test_help_and_version_are_quick_because_they_import_no_room() -> None:
    """The list of commands is known without importing one."""
    script = "import sys, sizewise.__main__ as m\nm.main(['--version'])"
    hook = f"import atexit, sys; atexit.register(lambda: print(' '.join(sys.modules))); exec({script!r})"
    run = subprocess.run([sys.executable, "-c", hook], capture_output=True, text=True, check=True)
    first, modules = run.stdout.split("\n", 1)
    assert first.startswith("sizewise ")
    assert {"collector", "profiler", "recommender", "numpy"} & set(modules.split()) == set()


def test_waiting_ends_when_the_time_is_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty log and --wait 0.1: the answer is that there is nothing, not an endless wait."""
    began = time.monotonic()
    code, text = code_of(["report", "--state", str(tmp_path), "--wait", "0.1"], capsys)
    assert code == 4
    assert "no workloads yet" in text
    assert time.monotonic() - began < 30
