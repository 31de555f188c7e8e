"""The receivers as an ASGI application: routes, sizes, content types, tokens, status codes."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from google.protobuf import json_format

from collector.listen.intake import Intake, Receipt
from collector.listen.otlp import response_of
from collector.listen.protocols import (
    OTLP_JSON,
    OTLP_JSON_GZIP,
    OTLP_PROTOBUF,
    OTLP_PROTOBUF_GZIP,
    REMOTE_WRITE_1,
    REMOTE_WRITE_2,
)
from collector.listen.protos import Status
from collector.listen.refusal import RequestRefusedError
from collector.listen_settings import ListenSettings
from models.metrics import Meter

WRITE, OTLP, READY = "/api/v1/write", "/v1/metrics", "/-/ready"
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_MESSAGES = {
    None: REMOTE_WRITE_1,
    "prometheus.writerequest": REMOTE_WRITE_1,
    "io.prometheus.write.v2.request": REMOTE_WRITE_2,
}
_OTLP = {
    (_PROTOBUF, "identity"): OTLP_PROTOBUF,
    (_PROTOBUF, "gzip"): OTLP_PROTOBUF_GZIP,
    (_JSON, "identity"): OTLP_JSON,
    (_JSON, "gzip"): OTLP_JSON_GZIP,
}
_RPC_INVALID, _RPC_UNAVAILABLE = 3, 14  # google.rpc.Code

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its body still packed. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    sender: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


class App:
    """Called by the server for each request."""

    def __init__(self, intake: Intake, settings: ListenSettings, meter: Meter) -> None:
        self._intake, self._settings, self._meter = intake, settings, meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        sender = scope["client"][0] if scope.get("client") else ""
        request = Request(scope["method"], scope["path"], headers, sender)
        answer = self.turned_away(request)
        if answer is None:
            try:
                answer = self.answer(replace(request, body=await self._body(headers, receive)))
            except RequestRefusedError as error:
                answer = _otlp_refused(error, _is_json(request)) if request.path == OTLP else _refused(error)
        await _send(answer, send)

    def turned_away(self, request: Request) -> Answer | None:
        """What is said without a look at the body; None: `answer` has to look at it."""
        if request.path not in (WRITE, OTLP):
            return Answer(200, b"ready\n") if request.path == READY else Answer(404, _here(request.path))
        if request.method != "POST":
            return Answer(405, b"send a POST\n", headers={"Allow": "POST"})
        if not self._authorized(request):
            return Answer(401, b"show the bearer token\n", headers={"WWW-Authenticate": "Bearer"})
        return None

    def answer(self, request: Request) -> Answer:
        """What is said to a request that was not turned away."""
        answer = self._remote_write(request) if request.path == WRITE else self._otlp_metrics(request)
        self._meter.count("sizewise_listen_requests_total", route=request.path, status=str(answer.status))
        return answer

    def _remote_write(self, request: Request) -> Answer:
        try:
            version = _version(request.headers.get("content-type", ""))
            if request.headers.get("content-encoding", "snappy").lower() != "snappy":
                raise RequestRefusedError(415, "remote-write bodies are packed with snappy, in its block format")
            receipt = self._intake.write(version, request.body, request.sender)
        except RequestRefusedError as error:
            return _refused(error, _written(Receipt({})))
        if receipt.refused:  # the rest was taken; 400 tells the sender not to send these again
            return Answer(400, f"{receipt.reason()}\n".encode(), headers=_written(receipt))
        return Answer(204, headers=_written(receipt))

    def _otlp_metrics(self, request: Request) -> Answer:
        kind, as_json = _kind(request), _is_json(request)
        try:
            receipt = self._intake.write(_otlp_protocol(kind, request), request.body, request.sender)
        except RequestRefusedError as error:
            return _otlp_refused(error, as_json)
        return Answer(200, response_of(receipt.refused, receipt.reason(), as_json=as_json), kind)

    def _authorized(self, request: Request) -> bool:
        wanted, shown = self._settings.token, request.headers.get("authorization", "")
        return not wanted or hmac.compare_digest(f"Bearer {wanted}".encode(), shown.encode())

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """Raises RequestRefusedError as soon as it is known to be too large."""
        most = self._settings.max_body_bytes
        declared = headers.get("content-length", "0")
        size, parts, more = 0, list[bytes](), True
        while more:
            if size > most or (declared.isdigit() and int(declared) > most):
                raise RequestRefusedError(413, f"the body is over max_body_bytes = {most}; send smaller batches")
            event = await receive()
            parts.append(event.get("body", b""))
            size += len(parts[-1])
            more = event.get("more_body", False)
        return b"".join(parts)


def _version(content_type: str) -> str:
    """The protocol of a remote-write body. Raises RequestRefusedError (415) for anything but the two messages."""
    kind, _, rest = content_type.partition(";")
    parameters = dict(part.strip().lower().partition("=")[::2] for part in rest.split(";"))
    message = parameters.get("proto")
    version = _MESSAGES.get(message and message.strip('"'))
    if kind.strip().lower() != _PROTOBUF or version is None:
        known = "prometheus.WriteRequest or io.prometheus.write.v2.Request"
        raise RequestRefusedError(415, f"content type {content_type[:120]!r} is not {_PROTOBUF} with proto={known}")
    return version


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_json(request: Request) -> bool:
    return _kind(request) == _JSON


def _otlp_protocol(kind: str, request: Request) -> str:
    """Raises RequestRefusedError (415)."""
    packing = request.headers.get("content-encoding", "identity").lower()
    protocol = _OTLP.get((kind, packing))
    if protocol is None:
        known = f"{_PROTOBUF} or {_JSON}, plain or with gzip"
        raise RequestRefusedError(415, f"content type {kind[:80]!r} with encoding {packing[:40]!r} is not {known}")
    return protocol


def _written(receipt: Receipt) -> dict[str, str]:
    """Histograms and exemplars are read and not kept: no signal comes from them."""
    prefix = "X-Prometheus-Remote-Write"
    return {
        f"{prefix}-Samples-Written": str(receipt.accepted),
        f"{prefix}-Histograms-Written": str(receipt.histograms),
        f"{prefix}-Exemplars-Written": str(receipt.exemplars),
    }


def _refused(error: RequestRefusedError, headers: Mapping[str, str] | None = None) -> Answer:
    again = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return Answer(error.status, f"{error}\n".encode(), headers={**(headers or {}), **again})


def _otlp_refused(error: RequestRefusedError, as_json: bool) -> Answer:
    """OTLP words an error as google.rpc.Status, in the encoding of the request."""
    plain = _refused(error)
    status = Status(code=_RPC_UNAVAILABLE if error.status == 503 else _RPC_INVALID, message=str(error))
    body = json_format.MessageToJson(status, indent=None).encode() if as_json else status.SerializeToString()
    return Answer(error.status, body, _JSON if as_json else _PROTOBUF, plain.headers)


def _here(path: str) -> bytes:
    return f"nothing is at {path[:80]}: remote-write goes to {WRITE}, OTLP metrics to {OTLP}\n".encode()


async def _send(answer: Answer, send: Send) -> None:
    headers = [(b"content-length", str(len(answer.body)).encode())]
    if answer.body:
        headers.append((b"content-type", answer.content_type.encode()))
    headers += ((name.lower().encode(), value.encode()) for name, value in answer.headers.items())
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
