"""The fingerprint of one workload, as a part of its answers."""

from __future__ import annotations

import math

from recommender.access.scope import Scope
from recommender.api.render import Body
from recommender.fingerprint.recogniser import NO_START, Recogniser, head_window
from recommender.view import Row
from recommender.view_follow import profile_of

_NO_GPU = "no GPU telemetry of it was seen"
_NOT_ALL = "a fingerprint compares with the whole fleet: it needs a token for every namespace"


class Fingerprints:
    """Told by the model in use, at about 2 ms a workload."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser

    def body(self, row: Row, scope: Scope) -> Body:
        """`fingerprint`, the body of a FingerprintAnswer or None, and `why_not`."""
        if not int(row["gpu_last_seen_ms"]):
            return _nothing(_NO_GPU)
        if not scope.everywhere:
            return _nothing(_NOT_ALL)
        used = self._recogniser.in_use
        if used is None:
            return _nothing(self._recogniser.why_not)
        profile = profile_of(row)
        window = head_window(profile) if profile else None
        if window is None:
            return _nothing(NO_START)
        (found,) = used.identify([window])
        body = {
            "verdict": found.verdict.value,
            "sentence": found.sentence,
            "workload": found.workload or None,
            "confidence_ratio": round(found.confidence, 4),
            "similarity_ratio": None if math.isnan(found.similarity) else round(found.similarity, 4),
            "nearest": [
                {
                    "workload": near.workload,
                    "similarity_ratio": round(near.similarity, 4),
                    "distance": round(near.distance, 4),
                }
                for near in found.nearest
            ],
            "model_version": used.version,
        }
        return {"fingerprint": body, "why_not": None}


def with_fingerprint(body: Body, told: Body) -> Body:
    """An answer with what `Fingerprints.body` told, or with the reason among what is missing."""
    missing = body["missing"] | ({"fingerprint": told["why_not"]} if told["why_not"] else {})
    return body | {"fingerprint": told["fingerprint"], "missing": missing}


def _nothing(why: str) -> Body:
    return {"fingerprint": None, "why_not": why}
