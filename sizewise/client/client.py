"""The client: one object, one connection pool."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, overload
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

from sizewise.client.answers import Decision, Recommendation, Workload, WorkloadPage
from sizewise.client.feed import Event, events
from sizewise.client.job import Job
from sizewise.client.transport import Limits, Transport, decoded

Format = Literal["json", "kubernetes-patch", "dra", "slurm"]
_DECISION = msgspec.json.Decoder(Decision)
_DECISIONS = msgspec.json.Decoder(list[Decision])
_RECOMMENDATION = msgspec.json.Decoder(Recommendation)
_WORKLOADS = msgspec.json.Decoder(WorkloadPage)


class Client:
    """Every method raises ApiError where the API refuses, and UnavailableError where it cannot be reached.

    token: of `sizewise token create`. ca_file: PEM file of the authorities that signed the server's certificate, None: those
    of the system. Threads may share one client.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        token: str | None = None,
        ca_file: str | None = None,
        timeout_s: float = 10.0,
        retries: int = 3,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport = Transport(url, token, ca_file, Limits(timeout_s, retries), sleep)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    @overload
    def recommend(self, job: Job) -> Decision: ...

    @overload
    def recommend(self, job: Sequence[Job]) -> list[Decision]: ...

    def recommend(self, job: Job | Sequence[Job]) -> Decision | list[Decision]:
        """What a job should get; of several the answers in their order (at most 100)."""
        content = self._transport.post("/v1/recommend", msgspec.json.encode(job))
        return decoded(content, _DECISION) if isinstance(job, Job) else decoded(content, _DECISIONS)

    def rendered(self, job: Job | Sequence[Job], format: Format) -> str:
        """The same in the words of a scheduler: sbatch lines, a Kubernetes patch, a claim template."""
        return self._transport.post("/v1/recommend", msgspec.json.encode(job), {"format": format}).decode()

    def recommendation(self, workload: str) -> Recommendation:
        """What to give a workload that is known. ApiError with `kind` unknown-workload, or not-recommended-yet."""
        content = self._transport.get(f"/v1/workloads/{quote(workload, safe='')}/recommendation")
        return decoded(content, _RECOMMENDATION)

    def workloads(self, **filters: Any) -> Iterator[Workload]:
        """All that match, page by page. Filters are those of GET /v1/workloads: `namespace="shop"`, `action="lower"`."""
        query: dict[str, Any] | None = filters
        while query is not None:
            page = decoded(self._transport.get("/v1/workloads", query), _WORKLOADS)
            yield from page.workloads
            query = dict(parse_qsl(urlsplit(page.next).query)) if page.next else None

    def changes(self, since: str | None = None, wait_s: float = 30.0) -> Iterator[Event]:
        """Every change of a recommendation, without end: Reset, Changed, Removed. Store an event's `cursor` where it has one,
        and give it as `since` to go on there, on any replica and after a restart of either side. At least once: after a
        break the same may come again.
        """

        def ask(cursor: str | None, wait: bool) -> bytes:
            waits = wait_s if wait else 0.0
            return self._transport.get("/v1/recommendations", {"since": cursor, "wait": waits}, silence_s=waits)

        return events(ask, since)
