"""Tokens: how one looks, and what of it is kept.

`szw_ID_SECRET`: the prefix is for secret scanners; ID, 12 letters and digits, is public and names it in lists and in the
audit; SECRET is 43 of them, 256 bits from the system's generator, and the CRC-32 of all that is before it, in 8 hexadecimal
digits, so that a scanner tells a token from chance without asking. Kept is SHA-256 of the whole: a slow hash protects
secrets that people choose, of which there is none here.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass

from models.token import ApiToken
from recommender.access.scope import Scope

PREFIX = "szw_"
PATTERN = re.compile(r"szw_([0-9A-Za-z]{12})_[0-9A-Za-z]{43}([0-9a-f]{8})")
_ALPHABET = string.ascii_letters + string.digits
MAX_LIFETIME_DAYS = 3660


@dataclass(frozen=True, slots=True)
class NewToken:
    """`text` is shown once and kept nowhere."""

    text: str
    kept: ApiToken


def new_token(name: str, scope: Scope, now_ms: int, expires_ms: int) -> NewToken:
    ident = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    body = f"{PREFIX}{ident}_" + "".join(secrets.choice(_ALPHABET) for _ in range(43))
    text = body + _checksum(body)
    return NewToken(text, _kept(ident, digest_of(text), "", name, scope, now_ms, expires_ms))


def certificate_grant(common_name: str, name: str, scope: Scope, now_ms: int, expires_ms: int) -> ApiToken:
    """What who shows a client certificate with this common name may do. There is no secret: the certificate is it."""
    ident = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    return _kept(ident, "", common_name, name, scope, now_ms, expires_ms)


def _kept(ident: str, digest: str, cn: str, name: str, scope: Scope, now_ms: int, expires_ms: int) -> ApiToken:
    verbs = tuple(sorted(scope.verbs))
    return ApiToken(ident, digest, name, verbs, scope.namespaces, now_ms, expires_ms, certificate=cn)


def ident_of(text: str) -> str | None:
    """The public part; None when the text is no token, by its form or its checksum."""
    found = PATTERN.fullmatch(text)
    return found[1] if found and _checksum(text[:-8]) == found[2] else None


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def matches(text: str, kept: ApiToken) -> bool:
    """In a time that does not depend on where they differ."""
    return hmac.compare_digest(digest_of(text), kept.digest)


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
