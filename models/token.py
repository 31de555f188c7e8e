"""An API token as the log keeps it: the newest message per id is the truth, and the secret is nowhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApiToken:
    """id: the public part of the token. digest: SHA-256 of the whole token, in hex. name: what it is for.

    certificate: common name of the client certificate that stands for it; then there is no token, and no digest.
    verbs and namespaces: see recommender.access.scope. Times in ms since 1970, UTC; revoked_ms 0: it is not.
    """

    id: str
    digest: str
    name: str
    verbs: tuple[str, ...]
    namespaces: tuple[str, ...]
    created_ms: int
    expires_ms: int
    revoked_ms: int = 0
    certificate: str = ""
