"""How often an address may fail to show who it is, before it is told to wait. Bounded in memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

_ADDRESSES = 10_000
"""Of 16 bytes and two floats: 2 MB. The address that failed longest ago is forgotten first."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at_s: float


class Failures:
    """A bucket per address: `burst` failures at once, then one each `refill_s`. Who shows a good token is never held up: a
    256-bit secret is not guessed, and others may sit behind the same address. What is bounded is the audit. One thread."""

    def __init__(self, burst: int = 20, refill_s: float = 3.0, addresses: int = _ADDRESSES) -> None:
        self._burst, self._refill_s, self._addresses = burst, refill_s, addresses
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def failed(self, address: str, now_s: float) -> float:
        """Count one; returns how long to wait before the next, in seconds, 0 while there is some left."""
        address = _network(address)
        bucket = self._buckets.pop(address, None) or _Bucket(self._burst, now_s)
        bucket.left = min(self._burst, bucket.left + max(0.0, now_s - bucket.at_s) / self._refill_s)
        bucket.at_s = now_s
        self._buckets[address] = bucket
        if len(self._buckets) > self._addresses:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            return (1 - bucket.left) * self._refill_s
        bucket.left -= 1
        return 0.0


def _network(address: str) -> str:
    """Of IPv6 the /64: one machine has all of its addresses to choose from."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(found.ipv4_mapped or ip_network((int(found) >> 64 << 64, 64)))
