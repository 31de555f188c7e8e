"""What is answered to whom: the status codes and headers that senders act upon."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping
from typing import Any

import cramjam
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from collector.listen.app import OTLP, WRITE, Answer, App, Request
from collector.listen.protos import Request2, Series2, Status
from collector.listen_settings import ListenSettings
from models.metrics import NullMeter
from tests.collector.listen.bodies import body_1, body_2, container, snapped
from tests.collector.listen.box import T0, Box, column
from tests.collector.listen.conftest import MakeBox
from tests.collector.listen.test_rows import CPU, POD

PROTOBUF, JSON = "application/x-protobuf", "application/json"
V2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
ONE = [(container(CPU), [(T0, 1.0)])]


def ask(box: Box, path: str, body: bytes, method: str = "POST", **headers: str) -> Answer:
    """Header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    app, request = App(box.intake, box.settings, NullMeter()), Request(method, path, named, "10.0.0.9", body)
    return app.turned_away(request) or app.answer(request)


def written(answer: Answer) -> tuple[str, ...]:
    kinds = ("Samples", "Histograms", "Exemplars")
    return tuple(answer.headers[f"X-Prometheus-Remote-Write-{kind}-Written"] for kind in kinds)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (body_1(ONE), PROTOBUF),
        (body_1(ONE), "application/x-protobuf;proto=prometheus.WriteRequest"),
        (body_2(ONE), V2),
        (body_2(ONE), V2.replace(";", " ; ")),
    ],
)
def test_both_versions_are_taken(box: Box, body: bytes, content_type: str) -> None:
    """204, and how much was written."""
    answer = ask(box, WRITE, body, content_type=content_type, content_encoding="snappy")
    assert (answer.status, answer.body, written(answer)) == (204, b"", ("1", "0", "0"))


def test_histograms_and_exemplars_are_counted(box: Box) -> None:
    """A 2.0 sender compares what it sent with what was written."""
    series = Series2(labels_refs=[1, 2], histograms=[b"", b""], exemplars=[b""]).SerializeToString()
    body = snapped(Request2(symbols=["", "__name__", "m"], timeseries=[series]).SerializeToString())
    assert written(ask(box, WRITE, body, content_type=V2)) == ("0", "2", "1")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/x-protobuf;proto=prometheus.v9.Request"}, 415),
        ({"content_type": PROTOBUF, "content_encoding": "zstd"}, 415),
        ({"content_type": V2}, 400),  # it says 2.0 and is 1.0
        ({"content_type": PROTOBUF, "content_encoding": "gzip"}, 415),
    ],
)
def test_what_is_not_understood_is_refused(box: Box, headers: dict[str, str], status: int) -> None:
    """415 for a type, 400 for bytes that are not of the type; nothing was written."""
    answer = ask(box, WRITE, body_1(ONE), **headers)
    assert answer.status == status
    assert written(answer) == ("0", "0", "0")
    assert len(answer.body) > 20


def test_2_0_that_says_1_0_is_refused(box: Box) -> None:
    """A sender that was switched over without its content type hears of it; it would lose everything silently."""
    assert ask(box, WRITE, body_2(ONE), content_type=PROTOBUF).status == 400


def test_a_partial_write_says_what_was_left_out(box: Box) -> None:
    """One good and one ancient sample: 400 with the reason, so that it is not sent again, and one is written."""
    body = body_1([(container(CPU), [(T0, 1.0), (T0 - 10**9, 1.0)])])
    answer = ask(box, WRITE, body, content_type=PROTOBUF)
    assert (answer.status, written(answer)) == (400, ("1", "0", "0"))
    assert b"1 samples older than max_age_s" in answer.body


def test_a_full_outbox_answers_503(box: Box) -> None:
    """A sender tries again after what Retry-After says; the same for OTLP, in its own words."""
    box.room = False
    answer = ask(box, WRITE, body_1(ONE), content_type=PROTOBUF)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    answer = ask(box, OTLP, b"", content_type=PROTOBUF)
    assert (answer.status, answer.headers["Retry-After"], Status.FromString(answer.body).code) == (503, "10", 14)


def test_bombs_are_refused(make_box: MakeBox) -> None:
    """64 bytes declared where 32 are allowed: 413, of either packing."""
    box = make_box(ListenSettings(max_unpacked_bytes=32))
    assert ask(box, WRITE, snapped(bytes(64)), content_type=PROTOBUF).status == 413
    assert ask(box, OTLP, gzip.compress(bytes(64)), content_type=JSON, content_encoding="gzip").status == 413


def test_a_token_is_asked_for(make_box: MakeBox) -> None:
    """Without it or with another: 401; the rest of the answers need it too."""
    box = make_box(ListenSettings(token="s3cret"))
    body = body_1(ONE)
    assert ask(box, WRITE, body, content_type=PROTOBUF).status == 401
    assert ask(box, WRITE, body, content_type=PROTOBUF, authorization="Bearer s3cre").status == 401
    assert ask(box, WRITE, body, content_type=PROTOBUF, authorization="Bearer s3cret").status == 204


def test_other_paths_and_methods(box: Box) -> None:
    """A reader of the address finds out what is where."""
    assert ask(box, WRITE, b"", method="GET").status == 405
    assert ask(box, "/-/ready", b"", method="GET").status == 200
    answer = ask(box, "/", b"", method="GET")
    assert (answer.status, WRITE.encode() in answer.body) == (404, True)


def metrics(points: list[tuple[int, float]], name: str = "container.memory.working_set") -> dict[str, Any]:
    """An OTLP request as JSON has it: a gauge of one container."""
    attributes = {"k8s.namespace.name": "shop", "k8s.pod.name": POD, "k8s.container.name": "app"}
    values = [{"timeUnixNano": str(time * 10**6), "asDouble": value} for time, value in points]
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()]},
                "scopeMetrics": [{"metrics": [{"name": name, "gauge": {"dataPoints": values}}]}],
            }
        ]
    }


def encoded(request: dict[str, Any], kind: str) -> bytes:
    message = json_format.ParseDict(request, ExportMetricsServiceRequest())
    return json.dumps(request).encode() if kind == JSON else message.SerializeToString()


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize("packing", ["gzip", "identity"])
def test_otlp_in_either_encoding(box: Box, kind: str, packing: str) -> None:
    """Two points 15 s apart make a row; the answer is in the encoding of the request, and empty."""
    body = encoded(metrics([(T0, 1e9), (T0 + 15_000, 2e9)]), kind)
    packed = gzip.compress(body) if packing == "gzip" else body
    answer = ask(box, OTLP, packed, content_type=kind, content_encoding=packing)
    assert (answer.status, answer.content_type) == (200, kind)
    assert answer.body == (b"{}" if kind == JSON else b"")
    (row,) = box.settled()
    assert (row["workload"], row["memory_working_set_bytes"]) == ("prod/shop/Deployment/web/app", 2e9)


def test_otlp_says_what_it_refused(box: Box) -> None:
    """200 with partial success: an ancient point is rejected, the other one taken."""
    answer = ask(box, OTLP, encoded(metrics([(T0 - 10**9, 1.0), (T0, 1.0)]), PROTOBUF), content_type=PROTOBUF)
    partial = ExportMetricsServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, partial.rejected_data_points) == (200, 1)
    assert "max_age_s" in partial.error_message


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_otlp_that_is_none_is_refused(box: Box, kind: str) -> None:
    """400 with a google.rpc.Status; 415 for a type or packing that OTLP has not."""
    answer = ask(box, OTLP, b"\xff{", content_type=kind)
    code = json.loads(answer.body)["code"] if kind == JSON else Status.FromString(answer.body).code
    assert (answer.status, code) == (400, 3)
    assert ask(box, OTLP, b"", content_type="text/plain").status == 415
    assert ask(box, OTLP, b"", content_type=kind, content_encoding="br").status == 415


def test_deltas_become_rates(box: Box) -> None:
    """30 and 15 CPU seconds spent in 15 s each: 2 cores, then 1; a repeated delta is not added again."""
    request = metrics([(T0, 7.0), (T0 + 15_000, 30.0), (T0 + 30_000, 15.0)], "container.cpu.time")
    metric = request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
    metric["sum"] = {**metric.pop("gauge"), "isMonotonic": True, "aggregationTemporality": 1}
    app = App(box.intake, box.settings, NullMeter())
    for _ in range(2):
        asked = Request("POST", OTLP, {"content-type": JSON}, "10.0.0.9", encoded(request, JSON))
        assert app.answer(asked).status == 200
    assert column(box.settled(), "cpu_cores") == [2.0, 1.0]


def test_floods_within_the_bytes_are_refused(box: Box) -> None:
    """A million empty series, or symbols, are 2 MB on the wire; one series of 300 kB; 5 MiB of JSON: 413 for each."""
    series = snapped(b"\x0a\x00" * 1_000_000)
    assert ask(box, WRITE, series, content_type=PROTOBUF).status == 413
    symbols = snapped(b"\x22\x00" * 1_000_001 + b"\x2a\x04\x0a\x02\x00\x00")
    assert ask(box, WRITE, symbols, content_type=V2).status == 413
    long = body_1([({"__name__": "x" * 300_000}, [(T0, 1.0)])])
    assert ask(box, WRITE, long, content_type=PROTOBUF).status == 413
    assert ask(box, OTLP, b" " * (5 << 20), content_type=JSON).status == 413


def test_a_large_body_is_refused_before_it_is_read(make_box: MakeBox) -> None:
    """Declared too large: not a byte is taken. Sent in pieces without saying so: no piece more than it takes to know."""
    box = make_box(ListenSettings(max_body_bytes=100))
    pieces: list[bytes] = []
    statuses: list[int] = []

    async def receive() -> Mapping[str, Any]:
        pieces.append(bytes(60))
        return {"body": pieces[-1], "more_body": True}

    async def send(event: Mapping[str, Any]) -> None:
        statuses.extend([event["status"]] if "status" in event else [])

    app = App(box.intake, box.settings, NullMeter())
    scope = {"type": "http", "method": "POST", "path": WRITE, "client": None}
    asyncio.run(app({**scope, "headers": [(b"content-length", b"101")]}, receive, send))
    assert (statuses, len(pieces)) == ([413], 0)
    asyncio.run(app({**scope, "headers": []}, receive, send))
    assert (statuses, len(pieces)) == ([413, 413], 2)


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_an_otlp_body_that_is_too_large_is_refused_in_its_own_words(make_box: MakeBox, kind: str) -> None:
    """A google.rpc.Status in the encoding of the request, as for every refusal of OTLP."""
    box, told = make_box(ListenSettings(max_body_bytes=100)), list[Mapping[str, Any]]()

    async def receive() -> Mapping[str, Any]:
        return {"body": b"", "more_body": False}

    async def send(event: Mapping[str, Any]) -> None:
        told.append(event)

    headers = [(b"content-length", b"101"), (b"content-type", kind.encode())]
    scope = {"type": "http", "method": "POST", "path": OTLP, "client": None, "headers": headers}
    asyncio.run(App(box.intake, box.settings, NullMeter())(scope, receive, send))
    start, end = told
    assert start["status"] == 413
    assert (b"content-type", kind.encode()) in start["headers"]
    status = Status()
    if kind == JSON:
        json_format.Parse(end["body"], status)
    else:
        status.ParseFromString(end["body"])
    assert "max_body_bytes" in status.message


def test_snappy_in_its_framed_format_is_refused(box: Box) -> None:
    """Remote-write asks for the block format; the other one is what many libraries give by default."""
    framed = bytes(cramjam.snappy.compress(b"x" * 100))
    assert ask(box, WRITE, framed, content_type=PROTOBUF).status in (400, 413)
