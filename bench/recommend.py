"""100,000 workloads re-recommended on one core, beside the real VPA recommender."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.peers.vpa import VERSION, VpaFigures, vpa_figures
from bench.profile_fleet import TODAY, profile_slabs
from bench.report import Cell, Report
from deploy.services.service import ServiceError
from models.columns import row_bytes
from models.profile import PROFILE_FIELDS
from recommender.learning import Learning
from recommender.sizing.decide import decide
from recommender.sizing.expected import Expected
from recommender.sizing.fleet import Fleet
from recommender.sizing.policy_columns import PolicyTable
from recommender.sizing.records import RECORD_FIELDS, Records
from recommender.sizing.settings import SizingPolicy
from recommender.sizing.usage import DAY_MS, PROFILE_FIELDS_READ
from stream.columns_codec import decode_columns, encode_columns

WORKLOADS = 100_000
_PASSES = 3
_LEARNERS = 2048
"""Workloads of which one finished day is charged: 8 slabs, as a partition has them."""
_DECIDED, _ENCODED, _UNPACKED = "decided", "decided and encoded", "unpacked, decided and encoded"
_REFERENCE = "61,000-73,000 (reference: another machine)"

Row = Mapping[str, Cell]


def run(data: Path | None) -> Report:
    """Needs no data set: profiles are made up, and their cost does not depend on what is in them."""
    ours = ours_per_s(WORKLOADS)
    theirs, rows = _vpa()
    figures = {
        "recommend_100k_s": 100_000 / ours[_ENCODED],
        "recommend_100k_unpacked_s": 100_000 / ours[_UNPACKED],
        "finish_day_ms_per_workload": 1000 * finish_day_s(_LEARNERS) / _LEARNERS,
        "state_bytes_per_workload": float(row_bytes(PROFILE_FIELDS) + row_bytes(RECORD_FIELDS)),
    }
    if theirs is not None:
        figures["vpa_recommendations_per_s"] = theirs.recommendations_per_s
        figures["vpa_encoded_recommendations_per_s"] = theirs.encoded_recommendations_per_s
        figures["recommend_vs_vpa"] = ours[_ENCODED] / theirs.encoded_recommendations_per_s
    return Report(
        "100,000 workloads re-recommended, CPU and memory with target, bounds and reasons",
        figures,
        [*(_row(f"sizewise: {what}", per_s) for what, per_s in ours.items()), *rows],
        (
            "Per second of processor time on one core, best of 3 passes over the whole fleet.",
            "finish_day_ms_per_workload: one finished day charged to 228 experts and new limits, once a day; the rows above "
            "are what every 5 s may cost. state_bytes_per_workload: profile and record.",
            "recommend_vs_vpa: ours decided and encoded, over VPA's loop with its status as JSON.",
        ),
    )


def ours_per_s(workloads: int) -> dict[str, float]:
    """Recommendations per second of processor time, each with a standing one before it."""
    slabs = profile_slabs(workloads)
    packed = [encode_columns(slab) for slab in slabs]
    policy = PolicyTable(SizingPolicy()).columns(())
    known = [_expected(slab.workloads) for slab in slabs]
    standing = [decide(slab, None, policy, expected=one) for slab, one in zip(slabs, known, strict=True)]

    def only_decided() -> None:
        for slab, before, one in zip(slabs, standing, known, strict=True):
            decide(slab, before, policy, expected=one)

    def from_columns() -> None:
        for slab, before, one in zip(slabs, standing, known, strict=True):
            encode_columns(decide(slab, before, policy, expected=one))

    def from_messages() -> None:
        for value, before, one in zip(packed, standing, known, strict=True):
            profiles = decode_columns(value, PROFILE_FIELDS, PROFILE_FIELDS_READ)
            encode_columns(decide(profiles, before, policy, expected=one))

    passes = {_DECIDED: only_decided, _ENCODED: from_columns, _UNPACKED: from_messages}
    return {what: workloads / _best_s(work) for what, work in passes.items()}


def _expected(workloads: Sequence[str]) -> Expected:
    """What the experts ask for, as drawn from records: half of the workloads have been known for long enough."""
    records = Records.empty(workloads)
    records.arrays["limit"][:] = (1.0, float(1 << 30))
    records.arrays["days"][::2] = 30
    return Expected.of(records)


def finish_day_s(workloads: int) -> float:
    """Processor time of one finished day of workloads with a month of history, best of 3 days."""
    slabs = {f"slab/{i}": slab for i, slab in enumerate(profile_slabs(workloads))}
    policy = PolicyTable(SizingPolicy()).columns(())
    best = float("inf")
    learning = Learning({}, Fleet.nothing(), Fleet.nothing())
    for days_left in range(_PASSES, -1, -1):
        for slab in slabs.values():
            slab["newest_day"][:] = TODAY - days_left
            slab["first_seen_ms"][:] = (TODAY - days_left - 1) * DAY_MS if days_left == _PASSES else 0
        began = time.process_time()
        learning.advance({key: (slab, policy) for key, slab in slabs.items()})
        best = min(best, time.process_time() - began) if days_left < _PASSES else best
    return best


def _best_s(work: Callable[[], None]) -> float:
    """Processor time of the best pass: what other processes do meanwhile counts little."""
    best = float("inf")
    for _ in range(_PASSES):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def _vpa() -> tuple[VpaFigures | None, list[Row]]:
    name = f"VPA {VERSION}"
    try:
        measured = vpa_figures()
        why = "go is missing"
    except ServiceError as error:
        measured, why = None, str(error)
    if measured is None:
        return None, [{"what": f"{name}: not run: {why}", "recommendations/s": _REFERENCE}]
    return measured, [
        _row(f"{name}: estimated and formatted", measured.recommendations_per_s),
        _row(f"{name}: merged first, as its loop does", measured.loop_recommendations_per_s),
        _row(f"{name}: that, and encoded as JSON", measured.encoded_recommendations_per_s),
    ]


def _row(what: str, per_s: float) -> Row:
    return {"what": what, "recommendations/s": per_s, "s per 100,000": 100_000 / per_s}
