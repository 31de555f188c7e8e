"""Requests with time limits and retries; httpx2's one home."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
import msgspec

from sizewise.client.errors import AnswerError, ApiError, Problem, UnavailableError

T = TypeVar("T")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_LONGEST_RETRY_AFTER_S = 30.0
"""A server that asks for more patience than this is told of at once."""


@dataclass(frozen=True, slots=True)
class Limits:
    """timeout_s: of connecting, and of each silence while an answer comes. retries: after the first try."""

    timeout_s: float = 10.0
    retries: int = 3


class Transport:
    """A GET is repeated when nothing came of it; anything is repeated when the server says 503 and when to come back."""

    def __init__(
        self, url: str, token: str | None, ca_file: str | None, limits: Limits, sleep: Callable[[float], None]
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"url is {url!r}; it begins with http:// or https://, such as http://127.0.0.1:8080")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self._http = httpx2.Client(base_url=url.rstrip("/"), headers=headers, timeout=limits.timeout_s, verify=verify)
        self._url, self._limits, self._sleep = url, limits, sleep

    def get(self, path: str, query: Mapping[str, Any] | None = None, silence_s: float = 0.0) -> bytes:
        """silence_s: how much longer than usual the answer may take, because it was asked to wait."""
        return self._ask(
            "GET", path, repeat=True, params=_told(query or {}), timeout=self._limits.timeout_s + silence_s
        )

    def post(self, path: str, body: bytes, query: Mapping[str, Any] | None = None) -> bytes:
        json = {"Content-Type": "application/json"}
        return self._ask("POST", path, repeat=False, params=_told(query or {}), content=body, headers=json)

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, repeat: bool, **request: Any) -> bytes:
        """Raises ApiError for a refusal, UnavailableError when there was no answer."""
        pause_s = _FIRST_PAUSE_S
        for left in range(self._limits.retries, -1, -1):
            try:
                answer = self._http.request(method, path, **request)
            except httpx2.TransportError as error:
                if not (repeat and left):
                    raise UnavailableError(f"{method} {self._url}{path}: {error or type(error).__name__}") from error
            else:
                wait_s = _retry_after_s(answer)
                if answer.status_code < 400:
                    return answer.content
                if wait_s is None or not left:
                    raise _refusal(answer)
                pause_s = max(pause_s, wait_s)
            self._sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        raise AssertionError("the last try returns or raises")


def decoded(content: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Raises AnswerError."""
    try:
        return decoder.decode(content)
    except msgspec.MsgspecError as error:
        raise AnswerError(f"the answer cannot be understood: {error}") from error


def _told(query: Mapping[str, Any]) -> dict[str, Any]:
    """What is None is left out; truth as JSON writes it."""
    words = {True: "true", False: "false"}
    return {k: words[v] if isinstance(v, bool) else v for k, v in query.items() if v is not None}


def _retry_after_s(answer: httpx2.Response) -> float | None:
    """When a 503 says to come back; None: it does not, or too late to wait for."""
    text = answer.headers.get("retry-after", "")
    if answer.status_code != 503 or not text.isdecimal() or float(text) > _LONGEST_RETRY_AFTER_S:
        return None
    return float(text)


_PROBLEM = msgspec.json.Decoder(Problem)


def _refusal(answer: httpx2.Response) -> ApiError:
    """What does not speak problem+json, such as a proxy, is told by its status."""
    try:
        problem = _PROBLEM.decode(answer.content)
    except msgspec.MsgspecError:
        problem = Problem(title=answer.reason_phrase, status=answer.status_code, detail=answer.text[:500])
    return ApiError(answer.status_code, problem)
