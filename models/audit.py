"""Who asked for what and was refused, and what was changed on whose word: one entry of the audit stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Decision = Literal["allowed", "denied", "applied"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One decision about one request.

    who: `token:ID`, `local` (loopback, no token asked), `anonymous`, `cli:USER` (the command line), or the name of a part
    such as `webhook`; never a secret. verb: what was to be done, as scopes name it (`read`, `apply`). object: what it was to
    be done to: a route, a workload id, a pod; empty when that is not known. namespace: `cluster/namespace`; empty for what
    has none.
    reason: a code in kebab-case. details: further facts as text, such as the values before and after.
    request_id: the same in the answer's X-Request-Id, or the uid of an AdmissionReview.
    """

    time_ms: int
    who: str
    verb: str
    decision: Decision
    reason: str
    object: str = ""
    namespace: str = ""
    details: dict[str, str] = field(default_factory=dict)
    request_id: str = ""
