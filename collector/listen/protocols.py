"""What bodies can be: how each is unpacked and read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from collector.listen.body import gunzip, plain, unsnap
from collector.listen.otlp import OtlpReader
from collector.listen.remote_write import Reader, Reader1, Reader2
from collector.listen_settings import ListenSettings

REMOTE_WRITE_1, REMOTE_WRITE_2 = "remote-write-1", "remote-write-2"
OTLP_PROTOBUF, OTLP_JSON = "otlp-protobuf", "otlp-json"
OTLP_PROTOBUF_GZIP, OTLP_JSON_GZIP = "otlp-protobuf-gzip", "otlp-json-gzip"


@dataclass(frozen=True, slots=True)
class Protocol:
    """unpack: raises RequestRefusedError, also when the body would unpack to more than is allowed."""

    unpack: Callable[[bytes], bytes]
    reader: Reader


def protocols(settings: ListenSettings) -> dict[str, Protocol]:
    """A new reader for each protocol, by name."""
    most = settings.max_unpacked_bytes
    gzip, protobuf, json = partial(gunzip, max_bytes=most), OtlpReader(as_json=False), OtlpReader(as_json=True)
    return {
        REMOTE_WRITE_1: Protocol(partial(unsnap, max_bytes=most), Reader1()),
        REMOTE_WRITE_2: Protocol(partial(unsnap, max_bytes=most), Reader2()),
        OTLP_PROTOBUF: Protocol(plain, protobuf),
        OTLP_PROTOBUF_GZIP: Protocol(gzip, protobuf),
        OTLP_JSON: Protocol(plain, json),
        OTLP_JSON_GZIP: Protocol(gzip, json),
    }
