"""Requests and their answers: what may pass is asked again, what is too much or not whole is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import msgspec
import requests
from urllib3.util.retry import Retry

from collector.prometheus.answer import decoded
from collector.prometheus.settings import ServerSettings
from collector.prometheus.whole import is_limit, limit_in, missing_in, stores_away

_BACKOFF_S = 0.5
_OK, _INTERNAL = 200, 500
RETRY_ON = (408, 429, 502, 503, 504)
"""By urllib3. A 500 is repeated here: Mimir says so of its limits, too, which only the body tells."""
_LONGEST_URL = 2000
"""Proxies cut longer ones off. Shorter ones are sent by GET, which is all that a reader may do through the API server of
Kubernetes."""


class LimitError(Exception):
    """More was asked for than the server gives at once."""


class PartialError(Exception):
    """A part of the server did not answer."""


class Answer:
    """What PrometheusConnect reads of a response."""

    def __init__(self, response: requests.Response) -> None:
        self.status_code, self.content = response.status_code, response.content
        self.kind = response.headers.get("Content-Type", "")

    @property
    def is_json(self) -> bool:
        """VictoriaMetrics calls some answers `application/stream+json`."""
        return "json" in self.kind or not self.kind

    def json(self) -> dict[str, Any]:
        return decoded(self.content)


class Session(requests.Session):
    """One server's. May be used by several threads."""

    def __init__(self, settings: ServerSettings) -> None:
        super().__init__()
        self.verify = settings.ca_file or settings.verify
        self.cert = settings.certificate_file or None
        self._stores_url = f"{settings.url.rstrip('/')}/api/v1/stores"
        self._stores: bool | None = None
        """Whether it lists its stores, as a querier of Thanos does. None: not known yet."""
        self._retries, self._partial = settings.retries, settings.partial

    def request(self, *args: Any, **kwargs: Any) -> Any:
        """Raises LimitError, PartialError, and what requests raises."""
        for wait_s in _waits(self._retries):
            answer = self._once(*args, **kwargs)
            if limit := limit_in(answer.status_code, answer.content):
                raise LimitError(limit)
            missing = self._missing(answer, kwargs.get("headers"))
            if is_limit(missing):
                raise LimitError(missing)
            if not missing and answer.status_code != _INTERNAL:
                break
            time.sleep(wait_s)
        if missing:
            raise PartialError(missing)
        return answer

    def _missing(self, answer: Answer, headers: Any) -> str:
        if self._partial or answer.status_code != _OK or not answer.is_json:
            return ""
        return missing_in(answer.content) or self._away(headers)

    def _away(self, headers: Any) -> str:
        """Asked after each answer, a few milliseconds: else a store that dies between two is never heard of."""
        if self._stores is False:
            return ""
        answer = self._once("GET", self._stores_url, headers=headers, timeout=10)
        try:
            away = stores_away(answer.content) if answer.status_code == _OK else ""
        except msgspec.MsgspecError:
            away, self._stores = "", False
        if answer.status_code < _INTERNAL and self._stores is None:
            self._stores = answer.status_code == _OK
        return away

    def _once(self, method: str, url: str, **kwargs: Any) -> Answer:
        """What the session trusts is said each time: else REQUESTS_CA_BUNDLE of the environment would win over it."""
        if method == "GET" and len(url) + len(urlencode(kwargs.get("params") or {})) > _LONGEST_URL:
            method, kwargs["data"] = "POST", kwargs.pop("params")
        return Answer(super().request(method, url, **{**kwargs, "verify": self.verify}))


def retry(times: int) -> Retry:
    """Waits 0.5, 1, 2, ... s, or as long as Retry-After says; the last bad answer is handed on, not raised. A server
    that cannot be reached is tried for 4 s only: mostly the url is wrong. One that is not trusted, or does not trust us,
    is not asked again."""
    return Retry(
        total=times,
        connect=min(times, 3),
        other=0,
        backoff_factor=_BACKOFF_S,
        status_forcelist=RETRY_ON,
        allowed_methods=("GET", "POST"),  # both only read
        respect_retry_after_header=True,
        raise_on_status=False,
    )


def _waits(retries: int) -> Iterator[float]:
    """Seconds after each try; none after the last."""
    yield from (_BACKOFF_S * 2**n for n in range(retries))
    yield 0.0
