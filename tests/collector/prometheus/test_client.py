"""The client against a server that refuses, limps and asks who is there."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from collector.prometheus.client import PrometheusClient
from collector.prometheus.queries import shards_of
from collector.prometheus.settings import ImportSettings, ServerSettings
from collector.source import SourceError

GOOD = b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"2.5"]}]}}'


class Api:
    """Answers with the statuses in `plan`, then 200, and remembers what was asked."""

    def __init__(self) -> None:
        self.plan: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                api.asked.append((parts.path, parse_qs(parts.query), dict(self.headers)))
                status, body = api.plan.pop(0) if api.plan else (200, GOOD)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    thread = threading.Thread(target=api.server.serve_forever, args=(0.05,))
    thread.start()
    yield api
    api.server.shutdown()
    thread.join()
    api.server.server_close()


def asked(settings: ServerSettings) -> float:
    client = PrometheusClient(settings)
    try:
        (series,) = client.instant("up", 1700000000.25)
        return series.number()
    finally:
        client.close()


def test_a_request_carries_the_time_the_token_and_the_tenant(api: Api) -> None:
    """Under the path that the url has, as Mimir's does; answers are not packed unless a header asks for it."""
    url = f"{api.url}/prometheus/"
    assert asked(ServerSettings(url, {"X-Scope-OrgID": "team-a"}, token="secret")) == 2.5
    ((path, query, headers),) = api.asked
    assert path == "/prometheus/api/v1/query"
    assert query == {"query": ["up"], "time": ["1700000000.250"], "timeout": ["120000ms"]}
    assert headers["Authorization"] == "Bearer secret"
    assert headers["X-Scope-OrgID"] == "team-a"
    assert headers["Accept-Encoding"] == "identity"


def test_busy_servers_are_asked_again(api: Api) -> None:
    """429 and 503, then an answer: three requests, one result."""
    api.plan = [(429, b""), (503, b"")]
    assert asked(ServerSettings(api.url)) == 2.5
    assert len(api.asked) == 3


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, b"who are you", "--token-file"),
        (503, b"still starting", "503"),
        (422, b'{"status":"error","error":"query processing would load too many samples"}', "too many samples"),
        (200, b"<html>a login page</html>", "--url"),
        (200, b'{"status":"success"}', "--url"),
    ],
)
def test_a_refusal_names_the_server_the_question_and_the_mend(api: Api, status: int, body: bytes, says: str) -> None:
    """As SourceError, after the retries that are left."""
    api.plan = [(status, body)] * 5
    with pytest.raises(SourceError, match=says) as error:
        asked(ServerSettings(api.url, retries=1))
    assert api.url in str(error.value)
    assert "'up'" in str(error.value)


def test_a_server_that_is_not_there_is_named() -> None:
    """Nothing listens on port 1."""
    with pytest.raises(SourceError, match="no connection"):
        asked(ServerSettings("http://127.0.0.1:1", retries=0))


def test_an_import_loads_no_pandas() -> None:
    """prometheus-api-client has classes that would; only its client is imported. pyarrow is not needed either."""
    code = "import sys, collector.prometheus.run; print({'pandas', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_namespaces_are_split_so_that_none_is_missed() -> None:
    """Parts of at most 100 series where namespaces allow it; the last one has every name that is in no other."""
    assert shards_of({"a": 60, "b": 30, "c": 50, "d": 500}, 100) == [
        'namespace=~"a|b"',
        'namespace=~"c"',
        'namespace!~"a|b|c"',
    ]
    assert shards_of({"a": 60}, 100) == [""]
    assert shards_of({}, 100) == [""]


@pytest.mark.parametrize(
    ("name", "value"), [("step_s", -1), ("workers", 0), ("answer_samples", 10), ("chunked_samples", 10)]
)
def test_settings_that_make_no_sense_are_refused(name: str, value: int) -> None:
    """The message names the setting and the value."""
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        ImportSettings(**{name: value})  # type: ignore[arg-type]
