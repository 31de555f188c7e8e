"""Why a recommendation is what it is: a closed catalogue of codes. A code is a bit in the stream and a sentence in reports."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Action(IntEnum):
    """What to do about one resource of one workload."""

    INSUFFICIENT = 0  # too little seen to say anything
    LEAVE = 1
    RAISE = 2
    LOWER = 3
    SET = 4  # no request is known; this is the one to set


class Reason(IntFlag):
    """One bit each; stored as uint64. Never renumber: old recommendations stay readable."""

    PERCENTILE = 1 << 0
    PEAK = 1 << 1
    MARGIN = 1 << 2
    SHORT_HISTORY = 1 << 3
    FLOOR = 1 << 4
    CAP = 1 << 5
    MAX_STEP = 1 << 6
    HYSTERESIS = 1 << 7
    OOM_BUMP = 1 << 8
    THROTTLED = 1 << 9
    GROWING = 1 << 10
    WEEKLY_PEAK = 1 << 11
    WITHIN_BOUNDS = 1 << 12
    NO_REQUEST_KNOWN = 1 << 13
    SIGNAL_MISSING = 1 << 14
    COOL_DOWN = 1 << 15
    STALE = 1 << 16
    QOS_CHANGES = 1 << 17
    OVERRUN_ALLOWED = 1 << 18
    EXPERTS = 1 << 19
    ABOVE_EXPECTED = 1 << 20
    LEAK = 1 << 21
    UNDO = 1 << 22
    CHANGE_BUDGET = 1 << 23
    AUTOSCALED = 1 << 24
    RUNS = 1 << 25
    START_UP = 1 << 26
    EVICTED = 1 << 27


SENTENCES: dict[Reason, str] = {
    Reason.PERCENTILE: "covers the usage percentile that policy asks for",
    Reason.PEAK: "covers the highest peak in the window: memory that is short kills",
    Reason.MARGIN: "a safety margin was added",
    Reason.SHORT_HISTORY: "little history: the bounds are wide",
    Reason.FLOOR: "raised to the smallest size that policy allows",
    Reason.CAP: "cut to the largest size that policy allows",
    Reason.MAX_STEP: "limited to the largest step that policy allows at once",
    Reason.HYSTERESIS: "it would change too little to be worth it",
    Reason.OOM_BUMP: "it was OOM-killed: the true peak is above what was seen",
    Reason.THROTTLED: "its CPU limit stops it: true demand is above what was seen",
    Reason.GROWING: "usage grows from day to day",
    Reason.WEEKLY_PEAK: "a weekly peak is kept in view",
    Reason.WITHIN_BOUNDS: "the present request lies within the bounds",
    Reason.NO_REQUEST_KNOWN: "no present request is known",
    Reason.SIGNAL_MISSING: "a signal that this needs is missing",
    Reason.COOL_DOWN: "it was changed or killed a short time ago: not lowered yet",
    Reason.STALE: "no telemetry for a while: this describes the past",
    Reason.QOS_CHANGES: "its Kubernetes QoS class would change with these requests and limits",
    Reason.OVERRUN_ALLOWED: "policy allows the highest peaks to be exceeded on some days",
    Reason.EXPERTS: "sizing rules weighed by their record on it and on workloads like it meet the target rate",
    Reason.ABOVE_EXPECTED: "today's peak is above what was expected of it: raised at once",
    Reason.LEAK: "its memory grows from day to day and does not fall: it looks like a leak, which a larger size only delays",
    Reason.UNDO: "its request was lowered and it was killed, evicted or throttled soon after: the request before is proposed again",
    Reason.CHANGE_BUDGET: "its namespace has no lowering left for today; larger savings go first",
    Reason.AUTOSCALED: "an autoscaler follows its use of this request: a new request would change its number of replicas",
    Reason.EVICTED: "it was evicted a short time ago: not lowered yet",
    Reason.RUNS: "a job: sized from the highest peaks of its runs",
    Reason.START_UP: "start-up needs more than steady use: its highest peaks come in the first minutes of its instances",
}


def sentences(mask: int) -> list[str]:
    """The sentences of a mask, lowest bit first. Unknown bits are left out."""
    return [SENTENCES[reason] for reason in Reason if reason & mask]


def codes(mask: int) -> list[str]:
    """The codes of a mask in kebab-case, lowest bit first."""
    return [str(reason.name).lower().replace("_", "-") for reason in Reason if reason & mask]
