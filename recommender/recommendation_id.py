"""The name of one recommendation: short, and the same wherever it is told: annotation, audit trail, API, change feed."""

from __future__ import annotations

from hashlib import blake2b

_PREFIX = "rec-"
_DIGEST_BYTES = 8
"""Two of a million workloads share a digest with a chance of one in forty million."""


def recommendation_id(workload_id: str, computed_ms: int) -> str:
    """`rec-<16 hexadecimal digits of the workload id>-<computed_ms in hexadecimal>`. Characters of a Kubernetes label."""
    return f"{workload_key(workload_id)}-{computed_ms:x}"


def workload_key(workload_id: str) -> str:
    """What all recommendations of one workload begin with."""
    return _PREFIX + blake2b(workload_id.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def computed_ms_of(recommendation: str) -> int:
    """When a recommendation was decided, by its id. Raises ValueError for what is no id."""
    prefix, digest, computed = [*recommendation.split("-"), "", ""][:3]
    if f"{prefix}-" != _PREFIX or len(digest) != 2 * _DIGEST_BYTES or not computed:
        raise ValueError(
            f"{recommendation!r} is no recommendation id; one reads rec-<16 hex digits>-<hex milliseconds>"
        )
    return int(computed, 16)
