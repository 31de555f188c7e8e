"""Why a request or a sample was not taken."""

from __future__ import annotations

from enum import StrEnum


class RequestRefusedError(Exception):
    """The whole request is refused. `status` is the HTTP status; the message says what was wrong and the mend."""

    def __init__(self, status: int, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after_s = status, retry_after_s


class Fate(StrEnum):
    """What became of a sample. Bounded, so that it may be a metric label."""

    WAITING = "waiting"  # it will be part of a row
    NOT_NEEDED = "not-needed"  # of a metric that is no signal
    TWIN = "twin"  # another scrape job or replica brings the same
    DUPLICATE = "duplicate"  # the same series and time came before, as in a retry
    LATE = "late"  # a newer sample of the series is in a row already
    ANCIENT = "ancient"
    FUTURE = "future"
    LABELS = "labels"  # too many or too long labels, or none that names the metric
    TOO_MANY_SERIES = "too-many-series"


REFUSED: dict[Fate, str] = {
    Fate.ANCIENT: "older than max_age_s",
    Fate.FUTURE: "further ahead of this machine's clock than max_ahead_s",
    Fate.LABELS: "of series whose labels are too many (max_labels), too long (max_label_bytes), malformed or unnamed",
    Fate.TOO_MANY_SERIES: "of new series over max_series or max_sender_series",
}
"""The fates that a sender is told of, as it must not send those samples again."""
