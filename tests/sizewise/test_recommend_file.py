"""`sizewise recommend --file`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models.reasons import Action
from sizewise.__main__ import cli
from sizewise.process import opened
from stream.columns_codec import encode_columns
from stream.contract import Message
from stream.schemas import PROFILE, RECOMMENDATION, SCHEMA
from stream.settings import LogSettings
from stream.streams import PROFILES, RECOMMENDATIONS
from tests.recommender.api.test_feed import A, Fleet
from tests.recommender.view_columns import GIB, profiles, recommendations
from tests.sizewise.client.test_client import serving

JOB = f"workload: {A}\ncpu_cores: 8\nmemory_bytes: {int(GIB)}\n"


@pytest.fixture
def job(tmp_path: Path) -> Path:
    file = tmp_path / "job.yaml"
    file.write_text(JOB)
    return file


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, ["recommend", *map(str, words)])


def test_a_running_api_answers(job: Path) -> None:
    """In the words of Slurm: 1 core is the target, so one CPU, and 1 GiB stays."""
    fleet = Fleet()
    fleet.write(cart=1)
    with serving(fleet.app()) as url:
        answer = run("--file", job, "--format", "slurm", "--url", url)
        assert answer.output.endswith("#SBATCH --cpus-per-task=1\n#SBATCH --mem=1024M\n"), answer.output
        refused = run("--file", job, "--format", "dra", "--url", url)
        assert "no GPU is asked for" in refused.output
    gone = run("--file", job, "--url", url)
    assert "is `sizewise up` or `serve` running there?" in gone.output


def test_the_log_answers(job: Path, tmp_path: Path) -> None:
    """Read to its end; of one job the answer alone, of two a list."""
    location = f"sqlite:{tmp_path / 'log.db'}"
    rows = recommendations([A], action=Action.SET, target=[[1, GIB]])
    with opened(LogSettings(location=location)) as log:
        writer = log.writer()
        for stream, made, schema in ((PROFILES, profiles([A]), PROFILE), (RECOMMENDATIONS, rows, RECOMMENDATION)):
            writer.append(stream, [Message("slab/0", encode_columns(made), {SCHEMA: schema}, partition=0)])
        writer.flush(5)
        writer.close()
    answer = json.loads(run("--file", job, "--log", location).output)
    assert (answer["source"], answer["cpu"]["request_cores"]) == ("own-history", 1.0)
    job.write_text(f"{JOB}---\ncpu_cores: 1\n")
    assert len(json.loads(run("--file", job, "--log", location).output)) == 2


def test_what_is_wrong_ends_with_the_mend(tmp_path: Path) -> None:
    """A file that is not there; one that is wrong; options that mean nothing without a file."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("cores: 1")
    for words, said in (
        (("--file", tmp_path / "none.yaml"), "cannot read --file"),
        (("--file", wrong), "[0].cores"),
        (("--format", "slurm"), "name it with --file"),
        (("--file", wrong, "--format", "nomad"), ""),
    ):
        answer = run(*words)
        assert answer.exit_code == 2
        assert said in answer.output
