"""Header names and the schema each message declares in its `schema` header."""

from __future__ import annotations

from models.signals import RowKind

SCHEMA = "schema"
PRODUCER = "producer"
SEQUENCE = "sequence"

TELEMETRY: dict[RowKind, str] = {"cpu": "telemetry.cpu/1", "gpu": "telemetry.gpu/1"}
EVENT = "event/1"
NODE = "node/1"
PROFILE = "profile/1"
COVER = "cover/1"
RECOMMENDATION = "recommendation/1"
RECORD = "record/1"
FLEET = "fleet/1"
AUDIT = "audit/1"
TOKEN = "token/1"  # noqa: S105 - the name of a schema
SEAL_KEY = "seal-key/1"
