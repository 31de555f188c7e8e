"""The remote-write messages, declared as they are on the wire.

prometheus/docs, specs/prw: 1.0 is `prometheus.WriteRequest`, 2.0 is `io.prometheus.write.v2.Request`. Histograms and
exemplars are only counted, so they stay bytes. `Series1` and `Series2` are also the way in for what the columnar reader
does not expect.
"""

from __future__ import annotations

from collector.protobuf import Fields, message_classes

_MESSAGES: dict[str, Fields] = {
    # `foreign`: where the other version has its series
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
_CLASSES = message_classes("sizewise.listen", _MESSAGES)
Request1, Request2, Series1, Series2, Status = (
    _CLASSES[name] for name in ("Request1", "Request2", "Series1", "Series2", "Status")
)
