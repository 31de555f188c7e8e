"""Keeps a book of tokens up to date with the log: a token that is revoked is refused within one poll."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from models.metrics import Meter
from models.token import ApiToken
from recommender.access.book import TokenBook
from recommender.access.seal import KEY_BYTES, Sealer
from stream import schemas
from stream.contract import EventLog, LogUnavailableError, Reader, Record
from stream.dead_letters import BadMessageError
from stream.json_codec import decode_json
from stream.streams import TOKENS

STAGE = "tokens"
_POLL_S = 0.25
_RETRY_S = 1.0
_log = logging.getLogger(__name__)


class TokenFollower:
    """While the log is away the book stays as it is: who was let in before is let in still, until the token expires."""

    def __init__(self, log: EventLog, book: TokenBook, meter: Meter) -> None:
        self._log, self._book, self._meter = log, book, meter
        self._tokens: dict[str, ApiToken] = {}
        self._next: dict[int, int] | None = None

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._follow(stop)
            except LogUnavailableError as error:
                _log.warning("tokens cannot be read, the log is away; asking again: %s", error)
                stop.wait(_RETRY_S)

    def _follow(self, stop: threading.Event) -> None:
        reader = self._log.reader(TOKENS, self._next)
        try:
            while not stop.is_set():
                self._take(reader, reader.poll(_POLL_S))
        finally:
            reader.close()

    def _take(self, reader: Reader, records: Sequence[Record]) -> None:
        for record in records:
            self._one(record)
            self._next = {**(self._next or {}), record.partition: record.offset + 1}
        if records:
            self._book.replace(dict(self._tokens))
            self._meter.count("sizewise_stage_records_total", len(records), stage=STAGE, stream=TOKENS)
        self._book.complete = self._book.complete or reader.caught_up()

    def _one(self, record: Record) -> None:
        """What cannot be read may be a revocation: the token counts no more."""
        if record.headers.get(schemas.SCHEMA) == schemas.SEAL_KEY:
            self._book.sealer = Sealer(record.value) if record.value and len(record.value) == KEY_BYTES else None
            return
        self._tokens.pop(record.key, None)
        if record.value is None:
            return
        try:
            self._tokens[record.key] = decode_json(record.value, ApiToken)
        except BadMessageError as error:
            self._meter.count("sizewise_stage_dead_letters_total", stage=STAGE, reason=error.reason)
            _log.warning("token %s counts no more, its message cannot be read: %s", record.key, error)
