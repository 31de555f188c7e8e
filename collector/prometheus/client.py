"""The adapter of prometheus-api-client: the one module that imports it.

Its client sends the requests and repeats them; its `response.json()` is answered by our own decoder, five times as fast
as the standard library's on millions of points, and its pandas classes are never touched.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import requests
from prometheus_api_client.exceptions import PrometheusApiClientException  # noqa: TID251  (this is that adapter)
from prometheus_api_client.prometheus_connect import PrometheusConnect  # noqa: TID251  (as above)
from urllib3.util.retry import Retry

from collector.prometheus.answer import Series, decoded
from collector.prometheus.settings import ServerSettings
from collector.source import SourceError

_BACKOFF_S = 0.5
_RETRY_ON = (408, 429, 500, 502, 503, 504)


class _Answer:
    """What PrometheusConnect reads of a response."""

    def __init__(self, response: requests.Response) -> None:
        self.status_code, self.content = response.status_code, response.content

    def json(self) -> dict[str, Any]:
        return decoded(self.content)


class _Session(requests.Session):
    def request(self, *args: Any, **kwargs: Any) -> Any:
        return _Answer(super().request(*args, **kwargs))


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
        self._session = session
        self._connect = PrometheusConnect(
            self._url, headers, retry=_retry(settings.retries), session=session, timeout=math.ceil(settings.timeout_s)
        )

    def range(self, selector: str, start_s: float, end_s: float, step_s: float = 0.0) -> Sequence[Series]:
        """The samples of each series in [start_s, end_s]: with their own times, or every `step_s`.

        Asked as `selector[span]` at one instant, which gives samples as they are; query_range would put the newest
        value at each step, so that a scrape late by a millisecond reads as a still and a double step of a counter.
        Raises SourceError.
        """
        step = f":{_duration(step_s)}" if step_s else ""
        return self.instant(f"{selector}[{_duration(end_s - start_s)}{step}]", end_s)

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
        except (requests.RequestException, PrometheusApiClientException, msgspec.MsgspecError) as error:
            raise SourceError(f"{self._url} cannot answer {what[:200]!r}: {_reason(error)}") from error


def _retry(times: int) -> Retry:
    """Waits 0.5, 1, 2, ... s, or as long as Retry-After says; the last bad answer is handed on, not raised. A server
    that cannot be reached is tried for 4 s only: mostly the url is wrong."""
    return Retry(
        total=times,
        connect=min(times, 3),
        backoff_factor=_BACKOFF_S,
        status_forcelist=_RETRY_ON,
        respect_retry_after_header=True,
        raise_on_status=False,
    )


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
    if isinstance(error, msgspec.MsgspecError):
        return f"that is no answer of the Prometheus API ({error}); does --url need a path, as /prometheus?"
    return text[:400]
