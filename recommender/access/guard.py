"""Lets askers in or refuses them, and puts every refusal on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from models.audit import AuditEntry
from models.metrics import Meter
from recommender.access.book import Asker, Refused, TokenBook
from recommender.access.failures import Failures
from recommender.access.token import PATTERN, PREFIX
from recommender.audit import AuditTrail

_BEARER = "bearer "
_CUT = rf"{PREFIX}\1_..."
"""Of a token that somebody put in a path: its public part is on record, for who has to revoke it."""


@dataclass(frozen=True, slots=True)
class Knock:
    """A request as far as it says who asks. certificate: common name of the client certificate that the server verified."""

    method: str
    path: str
    address: str = ""
    authorization: str = ""
    certificate: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Too many failures from one address."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Guard:
    """`now_ms`: since 1970, for what expires and for the audit. Used by the thread that answers."""

    book: TokenBook
    audit: AuditTrail
    meter: Meter
    now_ms: Callable[[], int]
    failures: Failures = field(default_factory=Failures)

    def admit(self, knock: Knock) -> Asker | Refused | Wait:
        """Who it is. A token wins over a certificate."""
        found = self._found(knock)
        if isinstance(found, Asker):
            who = found.who
            return replace(found, holds=lambda: self.book.holds(who, self.now_ms()))
        if found.why == "not-ready":
            return found
        self.meter.count("sizewise_api_denied_total", reason=found.why)
        wait_s = self.failures.failed(knock.address, self.now_ms() / 1000)
        if wait_s:
            return Wait(wait_s)
        self._record(knock, found.who, "", found.why)
        return found

    def deny(self, knock: Knock, asker: Asker, verb: str, reason: str) -> None:
        """Put on record that an asker who is known was refused."""
        self.meter.count("sizewise_api_denied_total", reason=reason)
        self._record(knock, asker.who, verb, reason)

    def _found(self, knock: Knock) -> Asker | Refused:
        given = knock.authorization
        if given[: len(_BEARER)].lower() == _BEARER:
            return self.book.token(given[len(_BEARER) :].strip(), self.now_ms())
        if given:
            return Refused("malformed-token")
        if knock.certificate:
            return self.book.certificate(knock.certificate, self.now_ms())
        return Refused("no-token")

    def _record(self, knock: Knock, who: str, verb: str, reason: str) -> None:
        details = {"address": knock.address} if knock.address else {}
        what = f"{knock.method} {PATTERN.sub(_CUT, knock.path)}"
        self.audit.write(
            AuditEntry(self.now_ms(), who, verb, "denied", reason, what, "", details, knock.request_id),
        )
