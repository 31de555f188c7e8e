"""The adapter of prometheus-api-client: the one module that imports it.

Its client sends the requests through our session; its `response.json()` is answered by our own decoder, five times as
fast as the standard library's on millions of points, and its pandas classes are never touched.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import msgspec
import requests
from prometheus_api_client.exceptions import PrometheusApiClientException  # noqa: TID251  (this is that adapter)
from prometheus_api_client.prometheus_connect import PrometheusConnect  # noqa: TID251  (as above)

from collector.names.replicas import REPLICA_LABELS
from collector.prometheus import remote_read
from collector.prometheus.answer import Series, listed
from collector.prometheus.queries import Newest
from collector.prometheus.remote_read import CorruptAnswerError, outlines_in, request, series_in
from collector.prometheus.replicas import Replicas
from collector.prometheus.sample_table import Keep, between, thinned
from collector.prometheus.selector import matchers_of
from collector.prometheus.session import RETRY_ON, Answer, LimitError, PartialError, Session, retry
from collector.prometheus.settings import ServerSettings
from collector.prometheus.spans import Spans
from collector.source import SourceError

_OK = 200
_OVER_TIME: Mapping[Keep, str] = {"newest": "last_over_time", "highest": "max_over_time", "lowest": "min_over_time"}
_SHORTEST_STEP_S = 60.0
_REFUSALS = (
    *(requests.RequestException, PrometheusApiClientException, msgspec.MsgspecError, CorruptAnswerError),
    *(LimitError, PartialError),
)
_LOGGER = logging.getLogger(__name__)

Read = Callable[[bytes, remote_read.Span], list[Series]]
"""A body and the milliseconds of which samples are wanted."""


class PrometheusClient:
    """Queries one server. Its methods may be called from several threads."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._url = settings.url.rstrip("/")
        # Packing 8 MB answers costs Prometheus more time than making them; on a network that is slower than this
        # (about 100 Mbit/s) `--header Accept-Encoding=gzip` turns it on.
        headers = {"Accept-Encoding": "identity", **settings.headers}
        if settings.token:
            headers["Authorization"] = f"Bearer {settings.token}"
        self._session, self._headers, self._spans = Session(settings), headers, Spans()
        self._chunked, self._has_chunks = settings.remote_read, False
        self._replicas: Replicas | None = None
        """None: no series names a replica, as far as is known."""
        # Answers are fetched beside each other and read one by one: two threads in numpy hand Python's lock to and fro
        # at every step, which took a seventh more CPU.
        self._reading = threading.Lock()
        self._connect = PrometheusConnect(
            self._url, headers, retry=retry(settings.retries), session=self._session,
            timeout=math.ceil(settings.timeout_s),
        )  # fmt: skip

    @property
    def chunked(self) -> bool:
        """Whether the server speaks remote read, as far as is known."""
        return self._chunked

    def range(
        self, selector: str, start_s: float, end_s: float, step_s: float = 0.0, keep: Keep = "newest"
    ) -> Sequence[Series]:
        """The samples of each series in [start_s, end_s] with their own times; with `step_s` one for each step that
        ends in it, at its end. Raises SourceError.

        By remote read where that is spoken. Else asked as `selector[span]` at one instant, which gives samples as they
        are; query_range would put the newest value at each step, so that a scrape late by a millisecond reads as a still
        and a double step of a counter.
        """
        read = partial(series_in, step_ms=_ms(step_s), keep=keep)

        def ask(start_s: float, end_s: float) -> Sequence[Series]:
            found = self._read(selector, start_s, end_s, read, before_s=step_s)
            if found is not None:
                return found
            if step_s:
                return self._over_steps(selector, start_s, end_s, step_s, keep)
            return self._instant(f"{selector}[{_duration(end_s - start_s)}]", end_s)

        with self._errors(selector):
            return self._once(self._spans.asked(selector, start_s, end_s, ask))

    def _over_steps(self, selector: str, start_s: float, end_s: float, step_s: float, keep: Keep) -> Sequence[Series]:
        """A range of a millisecond less than the step, because before Prometheus 3 it has both its ends, and a sample
        would count in two steps. A bare selector would show the last sample of a series that ended for five minutes
        more. No subquery: VictoriaMetrics begins its steps where the range does, all others at multiples of the step;
        and where steps are under a minute it repeats an older one for those of the last 30 s, so they are made here.
        """
        first_s = math.ceil(round(start_s / step_s, 6)) * step_s
        last_s = math.floor(round(end_s / step_s, 6)) * step_s
        if last_s < first_s:
            return ()
        if step_s < _SHORTEST_STEP_S:
            found = self._instant(f"{selector}[{_duration(last_s - first_s + step_s)}]", last_s)
            kept = (between(thinned(one, _ms(step_s), keep), _ms(first_s), _ms(last_s)) for one in found)
            return [one for one in kept if len(one.time_ms)]
        query = f"{_OVER_TIME[keep]}({selector}[{_ms(step_s) - 1}ms])"
        start, end = (datetime.fromtimestamp(time_s, UTC) for time_s in (first_s, last_s))
        exact = {"start": f"{first_s:.3f}", "end": f"{last_s:.3f}"}  # else they are rounded to seconds
        step = f"{step_s:.3f}"
        series: Sequence[Series] = self._connect.custom_query_range(query, start, end, step, exact | self._patience)
        return series

    def newest(self, wanted: Newest, start_s: float, end_s: float) -> Sequence[Series]:
        """The newest value in [start_s, end_s] of each series, and by remote read earlier ones: one at least for each 120
        samples. Without it, series that differ in no label of `wanted.by` are one. Raises SourceError."""

        def ask(start_s: float, end_s: float) -> Sequence[Series]:
            found = self._read(wanted.selector, start_s, end_s, outlines_in)
            if found is not None:
                return found
            over = f"last_over_time({wanted.selector}[{_duration(end_s - start_s)}])"
            return self._instant(f"max by ({','.join(wanted.by)}) ({over})", end_s)

        with self._errors(wanted.selector):
            return self._once(self._spans.asked(f"newest {wanted.selector}", start_s, end_s, ask))

    def labels(self, wanted: Newest, start_s: float, end_s: float) -> Sequence[Series]:
        """The series that have samples in [start_s, end_s]; samples need not be with them. Raises SourceError.

        Who speaks remote read also has a list of series, which tells the labels without copying chunks. Thanos has one
        too, but leaves it empty without a word where a store is over its limit."""
        if not self._chunked:
            return self.newest(wanted, start_s, end_s)

        def ask(start_s: float, end_s: float) -> Sequence[Series]:
            params = {"match[]": wanted.selector, "start": f"{start_s:.3f}", "end": f"{end_s:.3f}"}
            answer = self._post("series", params, self._headers)
            if answer.status_code != _OK:
                raise requests.ConnectionError(f"HTTP {answer.status_code} {answer.content[:200]!r}")
            return listed(answer.content)

        with self._errors(wanted.selector):
            return self._spans.asked(f"labels {wanted.selector}", start_s, end_s, ask)

    def _read(
        self, selector: str, start_s: float, end_s: float, read: Read, before_s: float = 0.0
    ) -> list[Series] | None:
        """By remote read; None where that cannot be. The first answer tells whether the server speaks it. `before_s`: of
        which samples are asked for, too."""
        matchers = matchers_of(selector) if self._chunked else None
        if matchers is None:
            return None
        span_ms = _ms(start_s), _ms(end_s)
        body = request(matchers, _ms(start_s - before_s), span_ms[1])
        answer = self._post("read", body, {**self._headers, **remote_read.HEADERS})
        if answer.status_code == _OK and answer.kind.startswith(remote_read.STREAMED):
            self._has_chunks = True
            with self._reading:
                return read(answer.content, span_ms)
        if self._has_chunks or answer.status_code in RETRY_ON:
            raise requests.ConnectionError(f"HTTP {answer.status_code} to remote read: {answer.content[:200]!r}")
        _LOGGER.info("%s gives no chunks (HTTP %d); it is asked for JSON", self._url, answer.status_code)
        self._chunked = False
        return None

    def _post(self, what: str, data: bytes | dict[str, str], headers: Mapping[str, str]) -> Answer:
        url, timeout_s = f"{self._url}/api/v1/{what}", self._settings.timeout_s
        answer: Answer = self._session.request("POST", url, data=data, headers=headers, timeout=timeout_s)
        return answer

    def instant(self, query: str, time_s: float) -> Sequence[Series]:
        """What a query says at one time. Raises SourceError."""
        with self._errors(query):
            return self._once(self._instant(query, time_s))

    def _instant(self, query: str, time_s: float) -> Sequence[Series]:
        series: Sequence[Series] = self._connect.custom_query(query, {"time": f"{time_s:.3f}", **self._patience})
        return series

    @property
    def _patience(self) -> dict[str, str]:
        return {"timeout": _duration(self._settings.timeout_s)}

    def names(self, start_s: float, end_s: float) -> Sequence[str]:
        """The metrics that had samples in this span. Raises SourceError.

        Asked before all else, it also finds out whether the server speaks remote read, as how much is asked for at once
        hangs on that, and whether it holds what several replicas saw."""
        with self._errors("the values of __name__"):
            if not self._has_chunks:
                self._read("up{}", end_s, end_s, series_in)
            params = {"start": f"{start_s:.3f}", "end": f"{end_s:.3f}"}
            if not self._replicas and not {*self._connect.get_label_names(params)}.isdisjoint(REPLICA_LABELS):
                self._replicas = Replicas()
            names: Sequence[str] = self._connect.get_label_values("__name__", params)
        return names

    def _once(self, found: Sequence[Series]) -> Sequence[Series]:
        return self._replicas.one_of_each(found) if self._replicas else found

    def close(self) -> None:
        self._session.close()

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except _REFUSALS as error:
            raise SourceError(f"{self._url} cannot answer {what[:200]!r}: {_reason(error)}") from error


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _duration(seconds: float) -> str:
    """As PromQL writes it."""
    return f"{max(round(seconds * 1000), 1)}ms"


def _reason(error: Exception) -> str:
    """The server's own words where it has some, and the mend."""
    text = str(error)
    if isinstance(error, LimitError):
        return f"it is too much at once ({text[:400]}); raise that limit, or ask for less with --match"
    if isinstance(error, PartialError):
        return (
            f"a part of it does not answer ({text[:400]}); mend it and import again, which goes on from here, or take what "
            "there is with --partial"
        )
    if "401" in text[:25] or "403" in text[:25]:
        return f"{text[:200]}; give a token with --token-file or a header with --header"
    if isinstance(error, requests.exceptions.SSLError):
        return f"its certificate is not accepted ({text[:200]}); give its authority with --ca-file"
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return f"no connection ({text[:200]}); is --url right, and the server up?"
    if isinstance(error, msgspec.MsgspecError | CorruptAnswerError):
        return f"that is no answer of the Prometheus API ({error}); does --url need a path, as /prometheus?"
    return text[:400]
