"""Who holds which token: what the stream of tokens adds up to, and the answer to one who knocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from models.token import ApiToken
from recommender.access.scope import Scope, ScopeError, Verb
from recommender.access.seal import Sealer
from recommender.access.token import ident_of, matches

Why = Literal["no-token", "malformed-token", "unknown-token", "revoked-token", "expired-token", "not-ready"]
NOTHING = Scope(frozenset(), ())
"""What who is not known may."""
_NOBODY = ApiToken("", "0" * 64, "", (), (), 0, 0)
"""Compared with where no such token is, so that the same is done."""


@dataclass(frozen=True, slots=True)
class Asker:
    """who: as audit entries name it. sealer: for what a tenant carries. holds: whether its token is good still, for answers
    that go on for long."""

    who: str
    scope: Scope
    sealer: Sealer | None = field(default=None, compare=False)
    holds: Callable[[], bool] = field(default=lambda: True, compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """who: `token:ID` where the id is known to exist, else `anonymous`."""

    why: Why
    who: str = "anonymous"


class TokenBook:
    """Written by one thread, read by any: the mapping is replaced, never changed."""

    def __init__(self) -> None:
        self._by_id: Mapping[str, tuple[ApiToken, Scope]] = {}
        self._by_certificate: Mapping[str, tuple[ApiToken, Scope]] = {}
        self.sealer: Sealer | None = None
        """Seals what tenants carry; None: no key was read yet."""
        self.complete = False
        """Whether the stream was read to its end once. Before, nobody is let in."""

    def replace(self, tokens: Mapping[str, ApiToken]) -> None:
        granted = {ident: (token, scope_of(token)) for ident, token in tokens.items()}
        named = sorted((pair for pair in granted.values() if pair[0].certificate), key=lambda pair: _standing(pair[0]))
        self._by_certificate = {token.certificate: (token, scope) for token, scope in named}
        self._by_id = granted

    def token(self, text: str, now_ms: int) -> Asker | Refused:
        """Who shows this token."""
        ident = ident_of(text)
        kept, scope = self._by_id.get(ident or "", (_NOBODY, NOTHING))
        if not matches(text, kept):
            return self._unknown("unknown-token" if ident else "malformed-token")
        return self._judged(kept, scope, now_ms)

    def certificate(self, common_name: str, now_ms: int) -> Asker | Refused:
        """Who shows a client certificate, which the server has verified, with this common name."""
        if common_name not in self._by_certificate:
            return self._unknown("unknown-token")
        return self._judged(*self._by_certificate[common_name], now_ms)

    def holds(self, who: str, now_ms: int) -> bool:
        """Whether who was let in before would be now."""
        kept, scope = self._by_id.get(who.removeprefix("token:"), (_NOBODY, NOTHING))
        return isinstance(self._judged(kept, scope, now_ms), Asker)

    def _judged(self, kept: ApiToken, scope: Scope, now_ms: int) -> Asker | Refused:
        who = f"token:{kept.id}"
        if kept.revoked_ms:
            return Refused("revoked-token", who)
        return Asker(who, scope, self.sealer) if now_ms < kept.expires_ms else Refused("expired-token", who)

    def _unknown(self, why: Why) -> Refused:
        return Refused(why if self.complete else "not-ready")


def scope_of(token: ApiToken) -> Scope:
    """Verbs that this version does not know allow nothing; neither does a pattern that it cannot read."""
    try:
        return Scope.of([verb for verb in token.verbs if verb in get_args(Verb)], token.namespaces)
    except ScopeError:
        return NOTHING


def _standing(token: ApiToken) -> tuple[bool, int, str]:
    """Of several grants to one certificate the last counts: one that is not revoked, and made last."""
    return not token.revoked_ms, token.created_ms, token.id
