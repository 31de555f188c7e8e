"""Replay of arrivals and departures against a policy: how much of the GPUs is in use over time, and who found no room."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from math import inf

from recommender.placement.cluster import Cluster
from recommender.placement.placer import Placed, Placer
from recommender.placement.policies import Policy
from recommender.placement.request import Request
from recommender.placement.simulate import Failure, Outcome


@dataclass(frozen=True, slots=True)
class Stay:
    """One that comes and goes. leaves_s: infinite when it never does."""

    request: Request
    arrives_s: float
    leaves_s: float = inf


@dataclass(slots=True)
class _Going:
    """Who leaves when, with what it has; None: it found no room and is only missed. The number keeps the order of equals."""

    placer: Placer
    asked: int = 0
    placed: int = 0
    _numbers: count[int] = field(default_factory=count)
    _heap: list[tuple[float, int, Request, Placed | None]] = field(default_factory=list)

    def arrive(self, stay: Stay) -> Placed | None:
        found = self.placer.place(stay.request)
        self.asked += stay.request.total_gpu_milli
        self.placed += stay.request.total_gpu_milli if found else 0
        heapq.heappush(self._heap, (stay.leaves_s, next(self._numbers), stay.request, found))
        return found

    def next_s(self) -> float:
        return self._heap[0][0] if self._heap else inf

    def leave(self) -> None:
        _, _, request, found = heapq.heappop(self._heap)
        self.asked -= request.total_gpu_milli
        if found is not None:
            self.placed -= request.total_gpu_milli
            self.placer.remove(request, found)


@dataclass(slots=True)
class _Means:
    """Integrals over time."""

    at_s: float
    asked: float = 0.0
    placed: float = 0.0

    def until(self, time_s: float, going: _Going) -> None:
        self.asked += going.asked * (time_s - self.at_s)
        self.placed += going.placed * (time_s - self.at_s)
        self.at_s = time_s


def replay_stays(stays: Iterable[Stay], cluster: Cluster, policy: Policy) -> Outcome:
    """Place each when it comes and take it away when it goes; one that finds no room does not come again.

    stays: by `arrives_s`. `cluster` is changed. Ratios are means from the first arrival to the last: what drains away after
    it says nothing of a policy. Who leaves at the moment of an arrival leaves first.
    """
    going, failures, decisions = _Going(Placer(cluster, policy)), list[Failure](), 0
    begin_s, means = 0.0, _Means(0.0)
    for decisions, stay in enumerate(stays, start=1):
        if decisions == 1:
            begin_s, means = stay.arrives_s, _Means(stay.arrives_s)
        while (leaves_s := going.next_s()) <= stay.arrives_s:
            means.until(leaves_s, going)
            going.leave()
        means.until(stay.arrives_s, going)
        if going.arrive(stay) is None:
            failures.append(Failure(stay.request, going.asked / cluster.capacity_milli))
    whole = cluster.capacity_milli * (means.at_s - begin_s) or inf
    return Outcome(means.placed / whole, decisions, tuple(failures), means.asked / whole)
