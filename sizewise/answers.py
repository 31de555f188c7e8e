"""Where `report` gets its page of workloads from: the API, or the log itself. Both give the body of /v1/workloads."""

from __future__ import annotations

import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from models.metrics import NullMeter
from recommender.access.scope import EVERYTHING
from recommender.api.fingerprints import Fingerprints, with_fingerprint
from recommender.api.ids import SERIES_SUFFIX, SUFFIX, path_of
from recommender.api.listing import WorkloadQuery, workload_page
from recommender.api.render import is_recommended, recommendation
from recommender.api.series import series
from recommender.api.settings import ApiSettings
from recommender.api.slices import SliceAdvisor
from recommender.fingerprint.recogniser import Recogniser
from recommender.view import View
from recommender.view_follow import Follower
from recommender.view_query import QueryError
from recommender.view_settings import ViewSettings
from sizewise.exits import FAILED, UNAVAILABLE, USAGE, Exit
from stream.contract import EventLog

Page = dict[str, Any]
_TIMEOUT_S = 10.0


class Answers(Protocol):
    def page(self, query: Mapping[str, Any]) -> Page:
        """The body of /v1/workloads for these parameters."""

    def series(self, workload: str) -> Page:
        """The body of /v1/workloads/{id}/series, of a workload that a page named."""

    def recommendation(self, workload: str) -> Page | None:
        """The body of /v1/workloads/{id}/recommendation, of a workload that a page named; None: there is none yet."""


class ApiAnswers:
    """Asks a running `sizewise serve` or `up`. ca_file: authorities that signed its certificate; None: those of the system."""

    def __init__(self, url: str, token: str | None = None, ca_file: Path | None = None) -> None:
        self._url, self._token, self._tls = url.rstrip("/"), token, _trusting(ca_file)
        if not self._url.startswith(("http://", "https://")):
            raise Exit(f"--url is {url!r}; it begins with http:// or https://, such as http://127.0.0.1:8080", USAGE)

    def page(self, query: Mapping[str, Any]) -> Page:
        return self._get(f"{self._url}/v1/workloads?{urlencode(query)}")

    def series(self, workload: str) -> Page:
        return self._get(self._url + path_of(workload) + SERIES_SUFFIX)

    def recommendation(self, workload: str) -> Page | None:
        try:
            return self._get(self._url + path_of(workload) + SUFFIX)
        except Exit as error:
            if isinstance(error.__cause__, urllib.error.HTTPError) and error.__cause__.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _get(self, url: str) -> Page:
        request = urllib.request.Request(url)  # noqa: S310 - the scheme is checked above
        if self._token:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=self._tls) as answer:  # noqa: S310
                body: Page = json.load(answer)
                return body
        except urllib.error.HTTPError as error:
            raise Exit(_problem(error), FAILED) from error
        except (OSError, ValueError) as error:
            raise Exit(
                f"cannot read {url}: {error}; is `sizewise up` or `serve` running there?", UNAVAILABLE
            ) from error


class LogAnswers:
    """Reads the log into a view of its own. Close it."""

    def __init__(self, log: EventLog, settings: ApiSettings | None = None) -> None:
        chosen = settings or ApiSettings()
        self._view, self._stop = View(), threading.Event()
        self._slices, self._recogniser = SliceAdvisor(chosen.mig), Recogniser(chosen.fingerprint.model)
        follower = Follower(log, self._view, ViewSettings(), NullMeter(), time.monotonic)
        self._thread = threading.Thread(target=follower.run, args=(self._stop,), name="follower", daemon=True)
        self._thread.start()

    def view(self) -> View:
        """Waits until the log was read to its end once."""
        while not self._view.ready and self._thread.is_alive():
            if "log" in self._view.missing and "away" in self._view.missing["log"]:
                raise Exit(self._view.missing["log"], UNAVAILABLE)
            time.sleep(0.02)
        return self._view

    def page(self, query: Mapping[str, Any]) -> Page:
        try:
            return workload_page(self.view().snapshot, WorkloadQuery(**query))
        except QueryError as error:
            raise Exit(str(error), USAGE) from error

    def series(self, workload: str) -> Page:
        row = self._view.snapshot.get(workload)
        assert row is not None, "a page named it, and snapshots do not shrink while a report is made"
        return series(row)

    def recommendation(self, workload: str) -> Page | None:
        snapshot = self._view.snapshot
        row = snapshot.get(workload)
        if row is None or not is_recommended(row):
            return None
        self._recogniser.refresh()
        told = Fingerprints(self._recogniser).body(row, EVERYTHING)
        return with_fingerprint(recommendation(row, self._slices.body(snapshot, row)), told)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except OSError as error:
        raise Exit(f"--ca-file {ca_file} cannot be read: {error}; it is a PEM file of authorities", USAGE) from error


def _problem(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{error.url} answered {error.code} {error.reason}"
