"""One question to the API: what is sent, what comes of each answer, and that nothing is endless."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.kubernetes.api import MAX_BYTES, NodeApi
from collector.source import SourceError
from tests.collector.kubernetes.api_server import Answers, account, node_json, serving
from tests.kubernetes.certificates import Authority


@pytest.fixture
def answers() -> Answers:
    return Answers(body=node_json("n1", {}))


@pytest.fixture
def api(answers: Answers, tmp_path: Path) -> Iterator[NodeApi]:
    with serving(answers, tmp_path) as url:
        yield NodeApi(url, str(tmp_path / "account"), 30.0)


def test_a_node_is_asked_for_with_the_token_of_the_moment(api: NodeApi, answers: Answers) -> None:
    """Kubernetes renews the file; the second ask shows the new token. A name is one part of the path, whatever it holds."""
    assert api.get("n1") == answers.body
    (Path(api.account) / "token").write_text("second")
    api.get("../secrets")
    assert answers.asked == [
        ("/api/v1/nodes/n1?resourceVersion=0", "Bearer first"),
        ("/api/v1/nodes/..%2Fsecrets?resourceVersion=0", "Bearer second"),
    ]


@pytest.mark.parametrize(
    ("status", "reason", "mend"),
    [
        (401, "Unauthorized", "of this cluster, and not expired"),
        (403, "Forbidden", "grant get on nodes"),
        (404, "Not Found", "set collector.node to the node's name in Kubernetes"),
        (503, "Service Unavailable", "it is asked again"),
        (302, "Found", "it is asked again"),
    ],
)
def test_a_refusal_is_told_with_its_mend(api: NodeApi, answers: Answers, status: int, reason: str, mend: str) -> None:
    """The status, the API's own sentence, and what to do. A redirect is a refusal: the token goes nowhere else."""
    answers.status, answers.body = status, json.dumps({"kind": "Status", "message": "User cannot\n get"}).encode()
    with pytest.raises(SourceError, match=f"{status} {reason}: User cannot get; .*{mend}"):
        api.get("n1")
    assert len(answers.asked) == 1


def test_what_a_proxy_says_is_cut(api: NodeApi, answers: Answers) -> None:
    """A page of a million characters in front of the API: its first 200 are told."""
    answers.status, answers.body = 502, b"<html>" + b"x" * 1_000_000
    with pytest.raises(SourceError) as error:
        api.get("n1")
    assert f": <html>{'x' * 194}; " in str(error.value)


def test_an_answer_without_an_end_is_not_read_to_its_end(api: NodeApi, answers: Answers) -> None:
    """One byte over the bound."""
    answers.body = b" " * (MAX_BYTES + 1)
    with pytest.raises(SourceError, match=f"over {MAX_BYTES} bytes"):
        api.get("n1")


@pytest.mark.parametrize("drips", [False, True])
def test_a_server_that_hangs_is_left(api: NodeApi, answers: Answers, drips: bool) -> None:
    """It says nothing at all; or a byte now and then, so that no single wait is long."""
    answers.drips = drips
    if not drips:
        answers.go.clear()
    with pytest.raises(SourceError, match=r"timed out|no whole answer in 0\.2 s"):
        NodeApi(api.url, api.account, 0.2).get("n1")


def test_a_server_of_another_authority_gets_no_token(api: NodeApi, answers: Answers, tmp_path: Path) -> None:
    """The handshake fails before anything is said."""
    foreign = account(tmp_path / "foreign", Authority("other").pem)
    with pytest.raises(SourceError, match="certificate verify failed"):
        NodeApi(api.url, str(foreign), 30.0).get("n1")
    assert answers.asked == []


def test_nobody_at_the_address(tmp_path: Path) -> None:
    """The address and a mend."""
    folder = account(tmp_path / "account", Authority("api").pem)
    with pytest.raises(SourceError, match=r"https://127\.0\.0\.1:1: .*can this pod reach the API server"):
        NodeApi("https://127.0.0.1:1", str(folder), 30.0).get("n1")


def test_a_pod_without_a_token_says_how_to_mount_one(tmp_path: Path) -> None:
    """automountServiceAccountToken: false is what makes it so."""
    with pytest.raises(SourceError, match="automountServiceAccountToken: true"):
        NodeApi("https://127.0.0.1:1", str(tmp_path), 30.0).get("n1")


@pytest.mark.parametrize("token", ["", "two secret\nlines", "sécret"])
def test_a_token_that_fits_no_header_is_not_told(tmp_path: Path, token: str) -> None:
    """The file is named, its content is not."""
    folder = account(tmp_path / "account", Authority("api").pem, token)
    with pytest.raises(SourceError, match="holds no token") as error:
        NodeApi("https://127.0.0.1:1", str(folder), 30.0).get("n1")
    assert "cret" not in str(error.value)
