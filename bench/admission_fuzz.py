"""A million made-up reviews, each judged by an oracle of its own: no crash, no rule broken, twice as once."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random

from bench.admission_cases import Case, draw, encoded, mutated
from bench.admission_oracle import answer_of, applied, faults
from bench.report import Cell, Report
from recommender.admission.review import Reviewed, Reviewer
from recommender.admission.settings import PodPolicy, WebhookSettings

REVIEWS = 1_000_000
_CHUNK = 10_000
_SPOILT = 0.25
"""Share of the reviews that are spoilt for the parser; the others are well-formed."""
_NOW_S = 1_800_000_000.0
POLICIES = (
    PodPolicy(gpu="apply", init_containers=True),
    PodPolicy(gpu="recommend", limits="keep"),
    PodPolicy(
        shrink_only=True, min_confidence_ratio=0.0, max_lower_ratio=1.0, max_raise_ratio=1000.0, min_change_ratio=0.0
    ),
    PodPolicy(max_raise_ratio=0.5, max_lower_ratio=0.1, gpu="apply"),
)


def run(data: Path | None) -> Report:
    """Needs no data set."""
    began_s = time.monotonic()
    found: Counter[str] = Counter()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for chunk in pool.map(chunk_of, range(REVIEWS // _CHUNK)):
            found += chunk
    outcomes = {name: count for name, count in found.items() if name.startswith("outcome ")}
    wrong = {name: count for name, count in found.items() if name.startswith("fault ")}
    figures = {"reviews": float(sum(outcomes.values())), "violations": float(sum(wrong.values()))}
    told = sorted((wrong | outcomes).items(), key=lambda item: -item[1])
    rows: list[dict[str, Cell]] = [{"what": name, "reviews": count} for name, count in told]
    note = (
        f"{time.monotonic() - began_s:.0f} s on {os.cpu_count()} cores. A quarter is spoilt for the parser: cut, bytes and types "
        "changed, nested too deep. Of the rest, what was patched is reviewed again: the second patch must be empty."
    )
    return Report("Made-up reviews of the admission webhook", figures, rows, (note,))


def chunk_of(seed: int) -> Counter[str]:
    """What became of one chunk of reviews, and which faults they had."""
    logging.disable(logging.CRITICAL)  # a failed review is logged with its trace; here it is counted
    random, found = Random(seed), Counter[str]()
    for _ in range(_CHUNK):
        case, policy = draw(random), random.choice(POLICIES)
        if random.random() < _SPOILT:
            outcome, wrong = judge_spoilt(case, policy, mutated(random, encoded(case)))
        else:
            outcome, wrong = judge(case, policy)
        found[f"outcome {outcome}"] += 1
        found.update(f"fault {fault}" for fault in wrong)
    return found


def judge(case: Case, policy: PodPolicy) -> tuple[str, list[str]]:
    """Outcome and faults of one well-formed review."""
    first = _reviewed(case, policy, encoded(case))
    return first.outcome, list(_faults(case, policy, first))


def judge_spoilt(case: Case, policy: PodPolicy, body: bytes) -> tuple[str, list[str]]:
    """Whatever came, `allowed` goes back. Where the pod can be read all the same, its patch keeps the rules that do not
    depend on what was spoilt: it applies, and to nothing but quantities and annotations."""
    reviewed = _reviewed(case, policy, body)
    wrong = ["crashed"] if reviewed.outcome == "error" else []
    response, patch = answer_of(reviewed.body)
    if response["allowed"] is not True:
        wrong.append("refused")
    if patch:
        pod = json.loads(body.decode("utf-8", "replace"))["request"]["object"]
        wrong += [fault for fault in faults(pod, reviewed.body, response["uid"], case.rules) if "mode" not in fault]
    return reviewed.outcome, wrong


def _faults(case: Case, policy: PodPolicy, first: Reviewed) -> Iterator[str]:
    if first.outcome == "error":
        yield "crashed"
    yield from faults(case.pod, first.body, case.review["request"]["uid"], case.rules)
    _, patch = answer_of(first.body)
    if first.entry is not None and (case.review["request"]["dryRun"] or first.outcome != "applied"):
        yield "told as a change, and was none"
    if patch:
        request = case.review["request"] | {"object": applied(case.pod, patch)}
        second = _reviewed(case, policy, json.dumps(case.review | {"request": request}).encode())
        if answer_of(second.body)[1]:
            yield "twice is not once"


def _reviewed(case: Case, policy: PodPolicy, body: bytes) -> Reviewed:
    settings = WebhookSettings(pods=policy)
    return Reviewer(settings, case.world, case.world, lambda: _NOW_S).review(body, case.told)
