"""OTLP metrics (1.10), protobuf or JSON: numbers of gauges and sums; histograms and summaries are no signals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, DataPointFlags

from collector.listen.refusal import RequestRefusedError
from collector.listen.remote_write import Labels, Register, Written
from collector.listen.wire import Samples

_NS_PER_MS = 1_000_000
_NO_VALUE = DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
_NAN = float("nan")
MAX_DEPTH = 32
"""Attribute values may nest; none of ours do. protobuf itself stops at 100."""
MAX_JSON_BYTES = 4 << 20
"""JSON takes a second of processor time for each MiB, during which nobody else is answered; protobuf 3 ms."""


class OtlpReader:
    """Reads ExportMetricsServiceRequest. Sums of deltas become totals here, as counters are totals everywhere else."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._totals: dict[int, tuple[int, float]] = {}

    def forget(self, numbers: set[int]) -> None:
        for number in numbers:
            self._totals.pop(number, None)

    def read(self, body: bytes, register: Register) -> Written:
        """Raises RequestRefusedError."""
        request = request_of(body, as_json=self._as_json)
        numbers: list[int] = []
        times: list[int] = []
        values: list[float] = []
        for labels, point, delta in _points(request):
            number = register(labels)
            value = _value(point)
            time_ms = point.time_unix_nano // _NS_PER_MS
            numbers.append(number)
            times.append(min(time_ms, _MAX_MS))
            values.append(self._total(number, time_ms, value) if delta and number >= 0 else value)
        return Written(Samples.of(numbers, times, values))

    def _total(self, number: int, time_ms: int, value: float) -> float:
        """The sum of all deltas so far; a repeated one is not added twice."""
        before_ms, before = self._totals.get(number, (0, 0.0))
        if time_ms > before_ms:
            before_ms, before = time_ms, before + value
            self._totals[number] = before_ms, before
        return before


def request_of(body: bytes, *, as_json: bool) -> Any:
    """The request in a body. Raises RequestRefusedError."""
    if as_json and len(body) > MAX_JSON_BYTES:
        raise RequestRefusedError(413, f"{len(body)} bytes of JSON; at most {MAX_JSON_BYTES}: send protobuf")
    request = ExportMetricsServiceRequest()
    try:
        if as_json:
            json_format.Parse(body, request, ignore_unknown_fields=True, max_recursion_depth=MAX_DEPTH)
        else:
            request.ParseFromString(body)
    except (json_format.ParseError, DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestRefusedError(400, f"the body is no ExportMetricsServiceRequest: {error}") from error
    return request


def response_of(refused: int, reason: str, *, as_json: bool) -> bytes:
    """The answer to a request that was taken, wholly or in part."""
    response = ExportMetricsServiceResponse()
    if refused:
        partial = ExportMetricsPartialSuccess(rejected_data_points=refused, error_message=reason)
        response.partial_success.CopyFrom(partial)
    if as_json:
        return json_format.MessageToJson(response, indent=None).encode()
    return response.SerializeToString()


def _points(request: Any) -> Iterator[tuple[Labels, Any, bool]]:
    """Labels, data point, and whether it is a delta: of every number in the request."""
    for resource in request.resource_metrics:
        shared = _labels(resource.resource.attributes)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                if kind not in ("gauge", "sum"):
                    continue
                data = getattr(metric, kind)
                delta = kind == "sum" and data.aggregation_temporality == _DELTA
                for point in data.data_points:
                    yield {**shared, **_labels(point.attributes), "__name__": metric.name}, point, delta


def _labels(attributes: Iterable[Any]) -> Labels:
    """Attributes as text; of lists and maps there is none that names anything."""
    return {item.key: _text(item.value) for item in attributes if item.value.WhichOneof("value") in _TEXTS}


def _text(value: Any) -> str:
    kind = value.WhichOneof("value")
    return str(value.bool_value).lower() if kind == "bool_value" else str(getattr(value, kind))


def _value(point: Any) -> float:
    """NaN where the sender says that it has none: the series has ended, as with a stale marker."""
    if point.flags & _NO_VALUE:
        return _NAN
    return float(point.as_int if point.WhichOneof("value") == "as_int" else point.as_double)


_TEXTS = frozenset({"string_value", "int_value", "double_value", "bool_value"})
_MAX_MS = (1 << 62) // _NS_PER_MS
