"""The remote-write messages, declared here as they are on the wire, so that nothing is generated at build time.

prometheus/docs, specs/prw: 1.0 is `prometheus.WriteRequest`, 2.0 is `io.prometheus.write.v2.Request`. Histograms and
exemplars are only counted, so they stay bytes. `Series1` and `Series2` are also the way in for what the columnar reader
does not expect.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    # `*` repeated; a capital letter starts the name of a message; `foreign`: where the other version has its series
    "Label": (("name", 1, "string"), ("value", 2, "string")),
    "Sample": (("value", 1, "double"), ("timestamp", 2, "int64"), ("start_timestamp", 3, "int64")),
    "Series1": (
        ("labels", 1, "*Label"),
        ("samples", 2, "*Sample"),
        ("exemplars", 3, "*bytes"),
        ("histograms", 4, "*bytes"),
    ),
    "Series2": (
        ("labels_refs", 1, "*uint32"),
        ("samples", 2, "*Sample"),
        ("histograms", 3, "*bytes"),
        ("exemplars", 4, "*bytes"),
    ),
    "Request1": (("timeseries", 1, "*bytes"), ("foreign", 5, "*bytes")),
    "Request2": (("foreign", 1, "*bytes"), ("symbols", 4, "*string"), ("timeseries", 5, "*bytes")),
    "Status": (("code", 1, "int32"), ("message", 2, "string")),  # google.rpc.Status, how OTLP words an error
}
_TYPES = {
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    "double": _Field.TYPE_DOUBLE,
    "int64": _Field.TYPE_INT64,
    "int32": _Field.TYPE_INT32,
    "uint32": _Field.TYPE_UINT32,
}
_PACKAGE = "sizewise.listen"


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="sizewise/listen.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            plain = kind.removeprefix("*")
            added = message.field.add(name=field, number=number)
            added.label = _Field.LABEL_REPEATED if plain != kind else _Field.LABEL_OPTIONAL
            if plain in _TYPES:
                added.type = _TYPES[plain]
            else:
                added.type, added.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{plain}"
    return file


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


Request1, Request2, Series1, Series2, Status = map(_class, ("Request1", "Request2", "Series1", "Series2", "Status"))
