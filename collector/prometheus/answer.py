"""The server's JSON into series. Labels and points stay undecoded until asked for: most labels were seen before, and the
points of one series at a time keep memory low."""

from __future__ import annotations

from typing import Any

import msgspec

Labels = dict[str, str]
_EMPTY = msgspec.Raw(b"[]")


class Series(msgspec.Struct, gc=False):
    """One series of an answer. `values`: of a range; `value`: of an instant."""

    metric: msgspec.Raw
    values: msgspec.Raw = _EMPTY
    value: msgspec.Raw = _EMPTY

    def labels(self) -> Labels:
        return _LABELS.decode(self.metric)

    def points(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Times in seconds and values, ascending."""
        pairs = _points(self.values)
        times, values = zip(*pairs, strict=True) if pairs else ((), ())
        return times, values

    def number(self) -> float:
        """The value of an instant."""
        return float(_INSTANT.decode(self.value)[1])


class _Data(msgspec.Struct):
    result: list[Series]


class _Body(msgspec.Struct):
    data: _Data | list[str]


_BODY = msgspec.json.Decoder(_Body)
_LABELS = msgspec.json.Decoder(Labels)
_POINTS = msgspec.json.Decoder(list[tuple[float, float]], strict=False)  # not strict: values are text in JSON
_TEXT_POINTS = msgspec.json.Decoder(list[tuple[float, str]])
_INSTANT = msgspec.json.Decoder(tuple[float, str])


def decoded(body: bytes) -> dict[str, Any]:
    """The body in the shape of the API: series under data.result, or the values of a label under data.

    Raises msgspec.MsgspecError when it is neither."""
    data = _BODY.decode(body).data
    return {"data": data if isinstance(data, list) else {"result": data.result}}


def _points(raw: msgspec.Raw) -> list[tuple[float, float]]:
    try:
        return _POINTS.decode(raw)
    except msgspec.ValidationError:  # "+Inf" is the one number that only Python reads
        return [(time, float(text)) for time, text in _TEXT_POINTS.decode(raw)]
