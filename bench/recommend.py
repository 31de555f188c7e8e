"""100,000 workloads re-recommended on one core, beside the real VPA recommender."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.peers.vpa import VERSION, VpaFigures, vpa_figures
from bench.profile_fleet import profile_slabs
from bench.report import Cell, Report
from deploy.services.service import ServiceError
from models.profile import PROFILE_FIELDS
from recommender.sizing.decide import decide
from recommender.sizing.policy_columns import PolicyTable
from recommender.sizing.settings import SizingPolicy
from recommender.sizing.usage import PROFILE_FIELDS_READ
from stream.columns_codec import decode_columns, encode_columns

WORKLOADS = 100_000
_PASSES = 3
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
            "recommend_vs_vpa: ours decided and encoded, over VPA's loop with its status as JSON.",
        ),
    )


def ours_per_s(workloads: int) -> dict[str, float]:
    """Recommendations per second of processor time, each with a standing one before it."""
    slabs = profile_slabs(workloads)
    packed = [encode_columns(slab) for slab in slabs]
    policy = PolicyTable(SizingPolicy()).columns(())
    standing = [decide(slab, None, policy) for slab in slabs]

    def only_decided() -> None:
        for slab, before in zip(slabs, standing, strict=True):
            decide(slab, before, policy)

    def from_columns() -> None:
        for slab, before in zip(slabs, standing, strict=True):
            encode_columns(decide(slab, before, policy))

    def from_messages() -> None:
        for value, before in zip(packed, standing, strict=True):
            encode_columns(decide(decode_columns(value, PROFILE_FIELDS, PROFILE_FIELDS_READ), before, policy))

    passes = {_DECIDED: only_decided, _ENCODED: from_columns, _UNPACKED: from_messages}
    return {what: workloads / _best_s(work) for what, work in passes.items()}


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
