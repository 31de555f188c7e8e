"""Tokens: what one looks like, who is let in, and what the log holds of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.audit import AuditEntry
from models.metrics import NullMeter
from models.token import ApiToken
from recommender.access.book import Asker, Refused, TokenBook
from recommender.access.failures import Failures
from recommender.access.follow import TokenFollower
from recommender.access.guard import Guard, Knock, Wait
from recommender.access.scope import Scope
from recommender.access.token import PATTERN, certificate_grant, digest_of, ident_of, matches, new_token
from recommender.audit import AuditTrail
from stream import schemas
from stream.contract import EventLog, Message
from stream.json_codec import encode_json
from stream.sqlite_log.log import SqliteLog
from stream.streams import TOKENS, stream_specs
from tests.roles import until

SCOPE = Scope.of(["read"], ["prod/shop"])
MADE = new_token("shop", SCOPE, 1_000, 9_000)


def book_of(*tokens: ApiToken) -> TokenBook:
    book = TokenBook()
    book.replace({token.id: token for token in tokens})
    book.complete = True
    return book


def test_a_token_carries_256_bits_and_the_log_only_its_hash() -> None:
    """43 of 62 letters and digits: 43 x log2(62) = 256.03 bits. Neither they nor the text are in what is kept."""
    text = MADE.text
    assert PATTERN.fullmatch(text)
    ident, secret = text[4:16], text[17:60]
    assert (MADE.kept.id, MADE.kept.digest) == (ident, digest_of(text))
    assert len(secret) == 43
    stored = msgspec.json.encode(MADE.kept).decode()
    assert secret not in stored
    assert text[-8:] not in stored


def test_no_two_tokens_are_alike() -> None:
    texts = {new_token("x", SCOPE, 0, 1).text for _ in range(1_000)}
    assert len(texts) == len({text[4:16] for text in texts}) == 1_000


@given(st.integers(0, len(MADE.text) - 1), st.sampled_from("aZ0_f9"))
def test_a_token_with_any_character_changed_is_refused(place: int, character: str) -> None:
    """The checksum finds it without the log; were it right, the hash would not agree."""
    wrong = MADE.text[:place] + character + MADE.text[place + 1 :]
    if wrong == MADE.text:
        assert ident_of(wrong) == MADE.kept.id
    else:
        assert ident_of(wrong) is None
        assert not matches(wrong, MADE.kept)
        assert book_of(MADE.kept).token(wrong, 5_000) == Refused("malformed-token")


@given(st.text())
def test_no_text_is_a_crash(text: str) -> None:
    assert book_of(MADE.kept).token(text, 5_000) == Refused("malformed-token")


@pytest.mark.parametrize(
    ("kept", "now_ms", "expected"),
    [
        (MADE.kept, 8_999, Asker(f"token:{MADE.kept.id}", SCOPE)),
        (MADE.kept, 9_000, Refused("expired-token", f"token:{MADE.kept.id}")),
        (replace(MADE.kept, revoked_ms=2_000), 5_000, Refused("revoked-token", f"token:{MADE.kept.id}")),
        (replace(MADE.kept, digest="0" * 64), 5_000, Refused("unknown-token")),
        (replace(MADE.kept, digest=""), 5_000, Refused("unknown-token")),
        (replace(MADE.kept, id="other"), 5_000, Refused("unknown-token")),
    ],
)
def test_who_is_let_in(kept: ApiToken, now_ms: int, expected: Asker | Refused) -> None:
    """Until the moment it expires, unless it is revoked, and by the whole token alone."""
    assert book_of(kept).token(MADE.text, now_ms) == expected


def test_before_the_tokens_were_read_nobody_is_called_unknown() -> None:
    """A server that has just started cannot tell an unknown token from one that it has not read yet."""
    book = TokenBook()
    assert book.token(MADE.text, 5_000) == Refused("not-ready")
    assert book.certificate("scheduler", 5_000) == Refused("not-ready")


def test_verbs_and_patterns_of_a_newer_version_allow_nothing() -> None:
    """What this version does not know is left out; what is left counts."""
    newer = replace(MADE.kept, verbs=("read", "teleport"))
    assert book_of(newer).token(MADE.text, 5_000) == Asker(f"token:{MADE.kept.id}", SCOPE)
    for nothing in (replace(newer, verbs=("teleport",)), replace(newer, namespaces=("prod/shop*",))):
        asker = book_of(nothing).token(MADE.text, 5_000)
        assert isinstance(asker, Asker)
        assert not asker.scope.may("read")


def test_a_certificate_stands_for_its_newest_grant_that_holds() -> None:
    """Common name `scheduler`: the older grant is wider, the newer one counts; once that is revoked, the older again."""
    older = certificate_grant("scheduler", "old", Scope.of(["extend", "read"], ["*"]), 1_000, 9_000)
    newer = certificate_grant("scheduler", "new", Scope.of(["extend"], ["*"]), 2_000, 9_000)
    assert book_of(newer, older).certificate("scheduler", 5_000) == Asker(
        f"token:{newer.id}", Scope.of(["extend"], ["*"])
    )
    revoked = replace(newer, revoked_ms=3_000)
    found = book_of(revoked, older).certificate("scheduler", 5_000)
    assert isinstance(found, Asker)
    assert found.who == f"token:{older.id}"
    assert book_of(newer).certificate("another", 5_000) == Refused("unknown-token")
    assert book_of(newer).certificate("scheduler", 9_000) == Refused("expired-token", f"token:{newer.id}")


class Kept(AuditTrail):
    """Keeps entries in a list."""

    def __init__(self) -> None:
        super().__init__(NullMeter())
        self.entries: list[AuditEntry] = []

    def write(self, entry: AuditEntry) -> None:
        self.entries.append(entry)


def test_each_denial_is_on_record_without_a_secret() -> None:
    """No token, a wrong one, one in the wrong scheme, an expired one: four entries; who is let in makes none."""
    trail = Kept()
    expired = new_token("old", SCOPE, 0, 1)
    guard = Guard(book_of(MADE.kept, expired.kept), trail, NullMeter(), lambda: 5_000)
    said = ["", "Bearer szw_wrong", f"Basic {MADE.text}", f"Bearer {expired.text}", f"bearer  {MADE.text}"]
    found = [guard.admit(Knock("GET", "/v1/nodes", "10.0.0.7", text, "", "r1")) for text in said]
    assert isinstance(found[-1], Asker)
    assert [(entry.who, entry.reason) for entry in trail.entries] == [
        ("anonymous", "no-token"),
        ("anonymous", "malformed-token"),
        ("anonymous", "malformed-token"),
        (f"token:{expired.kept.id}", "expired-token"),
    ]
    assert {(e.decision, e.object, e.details["address"], e.request_id) for e in trail.entries} == {
        ("denied", "GET /v1/nodes", "10.0.0.7", "r1")
    }
    written = msgspec.json.encode(trail.entries).decode()
    assert MADE.text[17:] not in written
    assert expired.text[17:] not in written


def test_an_address_that_fails_too_often_waits_and_a_good_token_does_not() -> None:
    """20 failures at once are let through and put on record, the others wait; a token that is good is never held up."""
    trail = Kept()
    guard = Guard(book_of(MADE.kept), trail, NullMeter(), lambda: 5_000)
    bad, good = (Knock("GET", "/v1/nodes", "10.0.0.7", text) for text in ("", f"Bearer {MADE.text}"))
    found = [guard.admit(bad) for _ in range(50)]
    assert [isinstance(one, Wait) for one in found] == [False] * 20 + [True] * 30
    assert len(trail.entries) == 20
    assert isinstance(guard.admit(good), Asker)
    assert isinstance(guard.admit(replace(bad, address="10.0.0.8")), Refused)


def test_failures_refill_and_stay_bounded() -> None:
    """Two at once, one more each 3 s: after 3 s one, after 6 s two. Of 5 addresses the 2 latest are kept."""
    failures = Failures(burst=2, refill_s=3.0, addresses=2)
    assert [failures.failed("a", 0.0) for _ in range(3)] == [0.0, 0.0, 3.0]
    assert [failures.failed("a", 3.0), failures.failed("a", 3.0)] == [0.0, 3.0]
    assert failures.failed("a", 1_000.0) == 0.0
    for address in "bcde":
        failures.failed(address, 1_000.0)
    assert len(failures._buckets) == 2


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    made = SqliteLog(tmp_path / "log.db")
    made.ensure(stream_specs(1))
    yield made
    made.close()


def put(log: EventLog, key: str, value: bytes | None) -> None:
    writer = log.writer()
    writer.append(TOKENS, [Message(key, value, {schemas.SCHEMA: schemas.TOKEN}, 1, 0)])
    writer.flush(5)
    writer.close()


def test_a_server_follows_what_is_made_revoked_and_removed(log: EventLog) -> None:
    """Made: let in. Revoked: refused. A message that cannot be read may be a revocation, so its token counts no more."""
    book, stop = TokenBook(), threading.Event()
    other = new_token("other", SCOPE, 1_000, 9_000)
    put(log, other.kept.id, encode_json(other.kept))
    thread = threading.Thread(target=TokenFollower(log, book, NullMeter()).run, args=(stop,))
    thread.start()
    try:
        until(lambda: book.complete)
        assert isinstance(book.token(other.text, 5_000), Asker)
        assert book.token(MADE.text, 5_000) == Refused("unknown-token")
        put(log, MADE.kept.id, encode_json(MADE.kept))
        until(lambda: isinstance(book.token(MADE.text, 5_000), Asker))
        put(log, MADE.kept.id, encode_json(replace(MADE.kept, revoked_ms=4_000)))
        until(lambda: book.token(MADE.text, 5_000) == Refused("revoked-token", f"token:{MADE.kept.id}"))
        put(log, other.kept.id, b"{")
        until(lambda: book.token(other.text, 5_000) == Refused("unknown-token"))
        put(log, MADE.kept.id, None)
        until(lambda: book.token(MADE.text, 5_000) == Refused("unknown-token"))
    finally:
        stop.set()
        thread.join()
