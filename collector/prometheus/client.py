"""The adapter of prometheus-api-client: the one module that imports it.

Its client sends the requests and repeats them; its `response.json()` is answered by our own decoder, five times as fast
as the standard library's on millions of points, and its pandas classes are never touched.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec
import requests
from prometheus_api_client.exceptions import PrometheusApiClientException  # noqa: TID251  (this is that adapter)
from prometheus_api_client.prometheus_connect import PrometheusConnect  # noqa: TID251  (as above)
from urllib3.util.retry import Retry

from collector.prometheus import remote_read
from collector.prometheus.answer import Series, decoded, listed
from collector.prometheus.queries import Newest
from collector.prometheus.remote_read import CorruptAnswerError, outlines_in, request, series_in
from collector.prometheus.selector import matchers_of
from collector.prometheus.settings import ServerSettings
from collector.source import SourceError

_BACKOFF_S = 0.5
_OK = 200
_RETRY_ON = (408, 429, 500, 502, 503, 504)
_REFUSALS = (requests.RequestException, PrometheusApiClientException, msgspec.MsgspecError, CorruptAnswerError)
_LOGGER = logging.getLogger(__name__)

Read = Callable[[bytes, remote_read.Span], list[Series]]
"""A body and the milliseconds of which samples are wanted."""


class _Answer:
    """What PrometheusConnect reads of a response."""

    def __init__(self, response: requests.Response) -> None:
        self.status_code, self.content = response.status_code, response.content
        self.kind = response.headers.get("Content-Type", "")

    def json(self) -> dict[str, Any]:
        return decoded(self.content)


class _Session(requests.Session):
    def request(self, *args: Any, **kwargs: Any) -> Any:
        """What the session trusts is said each time: else REQUESTS_CA_BUNDLE of the environment would win over it."""
        return _Answer(super().request(*args, **{**kwargs, "verify": self.verify}))


class PrometheusClient:
    """Queries one server. Its methods may be called from several threads."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._url = settings.url.rstrip("/")
        session = _Session()
        session.verify = settings.ca_file or settings.verify
        session.cert = settings.certificate_file or None
        # Packing 8 MB answers costs Prometheus more time than making them; on a network that is slower than this
        # (about 100 Mbit/s) `--header Accept-Encoding=gzip` turns it on.
        headers = {"Accept-Encoding": "identity", **settings.headers}
        if settings.token:
            headers["Authorization"] = f"Bearer {settings.token}"
        self._session, self._headers, self._chunked = session, headers, settings.remote_read
        self._connect = PrometheusConnect(
            self._url, headers, retry=_retry(settings.retries), session=session, timeout=math.ceil(settings.timeout_s)
        )

    @property
    def chunked(self) -> bool:
        """Whether the server speaks remote read, as far as is known."""
        return self._chunked

    def range(
        self, selector: str, start_s: float, end_s: float, step_s: float = 0.0, *, level: bool = False
    ) -> Sequence[Series]:
        """The samples of each series in [start_s, end_s] with their own times; with `step_s` one for each step that
        ends in it, at its end: of a level the highest, of a counter the newest. Raises SourceError.

        By remote read where that is spoken. Else asked as `selector[span]` at one instant, which gives samples as they
        are; query_range would put the newest value at each step, so that a scrape late by a millisecond reads as a still
        and a double step of a counter.
        """
        read = partial(series_in, step_ms=_ms(step_s), level=level)
        found = self._read(selector, (start_s, end_s), read, before_s=step_s)
        return self._over_steps(selector, start_s, end_s, step_s, level=level) if found is None else found

    def _over_steps(
        self, selector: str, start_s: float, end_s: float, step_s: float, *, level: bool
    ) -> Sequence[Series]:
        """A range of a millisecond less than the step, because before Prometheus 3 it has both its ends, and a sample
        would count in two steps. A bare selector would show the last sample of a series that ended for five minutes
        more."""
        step = ""
        if step_s:
            newest = "max_over_time" if level else "last_over_time"
            selector = f"{newest}({selector}[{round(step_s * 1000) - 1}ms])"
            step = f":{_duration(step_s)}"
        return self.instant(f"{selector}[{_duration(end_s - start_s)}{step}]", end_s)

    def newest(self, wanted: Newest, start_s: float, end_s: float) -> Sequence[Series]:
        """The newest value in [start_s, end_s] of each series, and by remote read earlier ones: one at least for each 120
        samples. Without it, series that differ in no label of `wanted.by` are one. Raises SourceError."""
        found = self._read(wanted.selector, (start_s, end_s), outlines_in)
        if found is not None:
            return found
        over = f"last_over_time({wanted.selector}[{_duration(end_s - start_s)}])"
        return self.instant(f"max by ({','.join(wanted.by)}) ({over})", end_s)

    def labels(self, wanted: Newest, start_s: float, end_s: float) -> Sequence[Series]:
        """The series that have samples in [start_s, end_s]; samples need not be with them. Raises SourceError.

        Who speaks remote read also has a list of series, which tells the labels without copying chunks."""
        if not self._chunked:
            return self.newest(wanted, start_s, end_s)
        params = {"match[]": wanted.selector, "start": f"{start_s:.3f}", "end": f"{end_s:.3f}"}
        with self._errors(wanted.selector):
            answer = self._session.request(
                "POST", f"{self._url}/api/v1/series", data=params, headers=self._headers,
                timeout=self._settings.timeout_s,
            )  # fmt: skip
            if answer.status_code != _OK:
                raise requests.ConnectionError(f"HTTP {answer.status_code} {answer.content[:200]!r}")
            return listed(answer.content)

    def _read(
        self, selector: str, span_s: tuple[float, float], read: Read, before_s: float = 0.0
    ) -> list[Series] | None:
        """By remote read; None where that cannot be. The first answer tells whether the server speaks it. `before_s`: of
        which samples are asked for, too."""
        matchers = matchers_of(selector) if self._chunked else None
        if matchers is None:
            return None
        span_ms = _ms(span_s[0]), _ms(span_s[1])
        with self._errors(selector):
            answer = self._session.request(
                "POST", f"{self._url}/api/v1/read", data=request(matchers, _ms(span_s[0] - before_s), span_ms[1]),
                headers={**self._headers, **remote_read.HEADERS}, timeout=self._settings.timeout_s,
            )  # fmt: skip
            if answer.status_code == _OK and answer.kind.startswith(remote_read.STREAMED):
                return read(answer.content, span_ms)
            if answer.status_code in _RETRY_ON:
                raise requests.ConnectionError(f"HTTP {answer.status_code} to remote read")
        _LOGGER.info("%s gives no chunks (HTTP %d); it is asked for JSON", self._url, answer.status_code)
        self._chunked = False
        return None

    def instant(self, query: str, time_s: float) -> Sequence[Series]:
        """What a query says at one time. Raises SourceError."""
        params = {"time": f"{time_s:.3f}", "timeout": _duration(self._settings.timeout_s)}
        with self._errors(query):
            series: Sequence[Series] = self._connect.custom_query(query, params)
        return series

    def names(self, start_s: float, end_s: float) -> Sequence[str]:
        """The metrics that had samples in this span. Raises SourceError."""
        with self._errors("the values of __name__"):
            params = {"start": f"{start_s:.3f}", "end": f"{end_s:.3f}"}
            names: Sequence[str] = self._connect.get_label_values("__name__", params)
        return names

    def close(self) -> None:
        self._session.close()

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except _REFUSALS as error:
            raise SourceError(f"{self._url} cannot answer {what[:200]!r}: {_reason(error)}") from error


def _retry(times: int) -> Retry:
    """Waits 0.5, 1, 2, ... s, or as long as Retry-After says; the last bad answer is handed on, not raised. A server
    that cannot be reached is tried for 4 s only: mostly the url is wrong. One that is not trusted, or does not trust us,
    is not asked again."""
    return Retry(
        total=times,
        connect=min(times, 3),
        other=0,
        backoff_factor=_BACKOFF_S,
        status_forcelist=_RETRY_ON,
        allowed_methods=("GET", "POST"),  # both only read
        respect_retry_after_header=True,
        raise_on_status=False,
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _duration(seconds: float) -> str:
    """As PromQL writes it."""
    return f"{max(round(seconds * 1000), 1)}ms"


def _reason(error: Exception) -> str:
    """The server's own words where it has some, and the mend."""
    text = str(error)
    if "401" in text[:25] or "403" in text[:25]:
        return f"{text[:200]}; give a token with --token-file or a header with --header"
    if isinstance(error, requests.exceptions.SSLError):
        return f"its certificate is not accepted ({text[:200]}); give its authority with --ca-file"
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return f"no connection ({text[:200]}); is --url right, and the server up?"
    if isinstance(error, msgspec.MsgspecError | CorruptAnswerError):
        return f"that is no answer of the Prometheus API ({error}); does --url need a path, as /prometheus?"
    return text[:400]
