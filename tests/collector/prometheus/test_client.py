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
from collector.prometheus.queries import restarts_selector, shards_of
from collector.prometheus.settings import ImportSettings, ServerSettings
from collector.source import SourceError

GOOD = b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"2.5"]}]}}'
NAMES = b'{"status":"success","data":["up"]}'


class Api:
    """Answers with the statuses in `plan`, then 200, and remembers what was asked. Of stores it knows what is in `stores`,
    else nothing, as all but a querier of Thanos."""

    def __init__(self) -> None:
        self.plan: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = []
        self.bodies: list[bytes] = []
        self.stores: list[bytes] = []
        self.kind = "application/json"
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path.endswith("/api/v1/stores"):
                    self.answer(*((200, api.stores.pop(0)) if api.stores else (404, b"404 page not found")))
                    return
                api.asked.append((parts.path, parse_qs(parts.query), dict(self.headers)))
                self.answer(*(api.plan.pop(0) if api.plan else (200, GOOD)))

            def do_POST(self) -> None:
                api.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.do_GET()

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", api.kind)
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


def remarked(remark: str) -> bytes:
    """A good answer with a remark after its data."""
    return GOOD[:-1] + f",{remark}}}".encode()


@pytest.mark.parametrize("remark", ['"warnings":["store b: connection refused"]', '"isPartial":true'])
def test_a_part_of_an_answer_is_not_taken_for_all(api: Api, remark: str) -> None:
    """Thanos says so in warnings, a cluster of VictoriaMetrics in a flag: it is asked again, as stores come back, and is
    an error when they do not; who wants a part gets it at once."""
    api.plan = [(200, remarked(remark))]
    assert asked(ServerSettings(api.url)) == 2.5
    assert len(api.asked) == 2
    api.plan = [(200, remarked(remark))] * 2
    with pytest.raises(SourceError, match=r"a part of it does not answer .*--partial"):
        asked(ServerSettings(api.url, retries=1))
    api.plan = [(200, remarked(remark))]
    assert asked(ServerSettings(api.url, partial=True)) == 2.5
    assert api.plan == []


@pytest.mark.parametrize(
    "remark",
    [
        '"warnings":["PromQL warning: bucket label is missing"]',
        '"warnings":[]',
        '"infos":["PromQL info: metric might not be a counter"]',
        '"isPartial":false',
        '"stats":{"note":"\\"warnings\\":[\\"a text\\"]"}',
    ],
)
def test_other_remarks_tell_of_no_hole(api: Api, remark: str) -> None:
    """What is said of the query, and what only looks like a warning."""
    api.plan = [(200, remarked(remark))]
    assert asked(ServerSettings(api.url, retries=0)) == 2.5


def test_a_store_that_thanos_has_given_up_is_missed(api: Api) -> None:
    """Its answers hold no warning any more; the list of stores does, until the store is back."""
    away = b'{"status":"success","data":{"store":[{"name":"a","lastError":null},{"name":"b","lastError":"refused"}]}}'
    api.stores = [away, away.replace(b'"refused"', b"null")]
    assert asked(ServerSettings(api.url)) == 2.5
    assert len(api.asked) == 2
    api.stores = [away]
    with pytest.raises(SourceError, match="store b: refused"):
        asked(ServerSettings(api.url, retries=0))
    api.stores = [b"<html>a login page</html>"]
    assert asked(ServerSettings(api.url, retries=0)) == 2.5


def test_a_500_is_asked_again_but_not_when_it_is_a_limit(api: Api) -> None:
    """Mimir says 500 of its limits to remote read: to wait would not help."""
    api.plan = [(500, b"oh")]
    assert asked(ServerSettings(api.url)) == 2.5
    api.plan = [(500, b"the query exceeded the maximum number of series (err-mimir-max-series-per-query)")]
    with pytest.raises(SourceError, match=r"too much at once .*err-mimir-max-series-per-query.*--match"):
        asked(ServerSettings(api.url))
    assert len(api.asked) == 3


def test_a_long_query_is_sent_in_a_body(api: Api) -> None:
    """Proxies cut urls off at a few thousand characters; a short one stays a GET, which readers are allowed to do."""
    client = PrometheusClient(ServerSettings(api.url))
    for query in ("up", f'up{{pod=~"{"x" * 3000}"}}'):
        client.instant(query, 1)
    client.close()
    assert [query.get("query") for _, query, _ in api.asked] == [["up"], None]
    (body,) = api.bodies
    assert parse_qs(body.decode())["query"] == [query]


def test_a_server_that_spoke_remote_read_does_not_unlearn_it(api: Api) -> None:
    """A refusal later is an error, and no reason to ask for JSON ever after; the first one is."""
    for first, learned in ((404, False), (200, True)):
        client = PrometheusClient(ServerSettings(api.url, retries=0))
        api.kind, api.plan = "application/x-streamed-protobuf", [(first, b""), (200, NAMES), (200, NAMES)]
        client.names(0, 1)
        assert client.chunked == learned
        if learned:
            api.plan = [(400, b"what?")]
            with pytest.raises(SourceError, match=r"400 .*what\?"):
                client.range("up{}", 0, 1)
            assert client.chunked
        client.close()


def test_steps_are_asked_for_at_their_multiples(api: Api) -> None:
    """Of [1000, 87400] s in steps of 70 s those that end there: 15 * 70 = 1050 to 1248 * 70 = 87360; in [1000, 1040] none
    does, and nothing is asked."""
    client = PrometheusClient(ServerSettings(api.url, remote_read=False))
    client.range("up{}", 1000, 87_400, 70)
    assert client.range("up{}", 1000, 1040, 70) == ()
    client.close()
    spans = [(query["start"][0], query["end"][0], query["step"][0]) for _, query, _ in api.asked]
    assert spans == [("1050.000", "87360.000", "70.000")]


def test_steps_under_a_minute_are_made_here(api: Api) -> None:
    """Of (990, 1020] s in steps of 10 s the newest or the highest sample of each; the mark of a series' end, which one
    system shows as a sample that is no number, is none."""
    points = b'[990,"9"],[991,"5"],[1000,"3"],[1001,"1"],[1019,"2"],[1020,"NaN"]'
    body = b'{"data":{"result":[{"metric":{"a":"b"},"values":[' + points + b"]}]}}"
    client = PrometheusClient(ServerSettings(api.url, remote_read=False))
    for keep, values in (("newest", [3, 1, 2]), ("highest", [5, 1, 2])):
        api.plan = [(200, body)]
        (one,) = client.range("up{}", 1000, 1020, 10, keep)
        assert (one.time_ms.tolist(), one.value.tolist()) == ([1_000_000, 1_010_000, 1_020_000], values)
    client.close()
    assert [query["query"] for _, query, _ in api.asked] == [["up{}[30000ms]"]] * 2


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


def test_restarts_of_very_many_pods_are_those_of_all() -> None:
    """1,000 names of 11 characters are 11,999 with what joins them: with the rest of a query over what systems take."""
    pods = [f"web-{number:07}" for number in range(1000)]
    assert restarts_selector(pods[:2], 'a="b"') == (
        'kube_pod_container_status_restarts_total{pod=~"web-0000000|web-0000001",a="b"}'
    )
    assert restarts_selector(pods, 'a="b"') == 'kube_pod_container_status_restarts_total{a="b"}'


@pytest.mark.parametrize(
    ("name", "value"), [("step_s", -1), ("workers", 0), ("answer_samples", 10), ("chunked_samples", 10)]
)
def test_settings_that_make_no_sense_are_refused(name: str, value: int) -> None:
    """The message names the setting and the value."""
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        ImportSettings(**{name: value})  # type: ignore[arg-type]
