"""The server's answers as series: labels that stay undecoded until asked for, as most were seen before, and samples as
columns."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Labels = dict[str, str]
Times = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer.

    key:            its labels as they came; where two are equal, so are the labels
    time_ms, value: its samples, ascending
    """

    key: Hashable
    read: Callable[[Any], Labels]
    time_ms: Times
    value: Values

    def labels(self) -> Labels:
        return self.read(self.key)

    def number(self) -> float:
        """The newest value."""
        return float(self.value[-1])


def labelled(labels: Labels) -> Series:
    """A series of which only the labels matter."""
    return Series(msgspec.json.encode(labels), _LABELS.decode, np.zeros(0, np.int64), np.zeros(0))


class _Json(msgspec.Struct, gc=False):
    metric: msgspec.Raw
    values: msgspec.Raw = msgspec.Raw(b"")
    value: msgspec.Raw = msgspec.Raw(b"")


class _Data(msgspec.Struct):
    result: list[_Json]


class _Body(msgspec.Struct):
    data: _Data | list[str]


class _List(msgspec.Struct):
    data: list[msgspec.Raw]


_LIST = msgspec.json.Decoder(_List)
_BODY = msgspec.json.Decoder(_Body)
_LABELS = msgspec.json.Decoder(Labels)
_POINTS = msgspec.json.Decoder(list[tuple[float, float]], strict=False)  # not strict: values are text in JSON
_TEXT_POINTS = msgspec.json.Decoder(list[tuple[float, str]])


def decoded(body: bytes) -> dict[str, Any]:
    """The body in the shape of the API: series under data.result, or the values of a label under data.

    Raises msgspec.MsgspecError when it is neither."""
    data = _BODY.decode(body).data
    return {"data": data if isinstance(data, list) else {"result": [_series(one) for one in data.result]}}


def listed(body: bytes) -> list[Series]:
    """Series without samples, of a list of labels under `data`. Raises msgspec.MsgspecError when it is none."""
    empty = np.zeros(0, np.int64), np.zeros(0)
    return [Series(bytes(raw), _LABELS.decode, *empty) for raw in _LIST.decode(body).data]


def _series(one: _Json) -> Series:
    points = _points(bytes(one.values) or b"[" + bytes(one.value) + b"]")
    columns = np.array(points, np.float64).reshape(-1, 2)
    columns = columns[~np.isnan(columns[:, 1])]  # so VictoriaMetrics shows the mark of a series that ended
    return Series(bytes(one.metric), _LABELS.decode, np.rint(columns[:, 0] * 1000).astype(np.int64), columns[:, 1])


def _points(raw: bytes) -> list[tuple[float, float]]:
    try:
        return _POINTS.decode(raw)
    except msgspec.ValidationError:  # "+Inf" is the one number that only Python reads
        return [(time, float(text)) for time, text in _TEXT_POINTS.decode(raw)]
