"""What can go wrong between a client and the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request: the field, its value, and what would be right."""

    field: str
    value: Any = None
    mend: str = ""


class Problem(msgspec.Struct, frozen=True):
    """The body of an answer that is an error (RFC 9457)."""

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""
    instance: str = ""
    errors: list[Fault] = []


class ClientError(Exception):
    """Whatever the client raises."""


class UnavailableError(ClientError):
    """The API cannot be reached, or not now. Trying again later may succeed."""


class ApiError(ClientError):
    """The API said no. `status` is HTTP's, `problem` the whole answer, `faults` what is wrong, field by field."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title or f"HTTP status {status}")
        self.status, self.problem = status, problem

    @property
    def kind(self) -> str:
        """The last part of `type`, such as `invalid-parameter` or `unknown-workload`."""
        return self.problem.type.partition("#")[2]

    @property
    def faults(self) -> Sequence[Fault]:
        return self.problem.errors


class AnswerError(ClientError):
    """The answer is not what this client understands: another server, or one of another generation."""
