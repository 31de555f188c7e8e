"""Numbers out of the kernel's text files, as bytes. None where a file does not say."""

from __future__ import annotations

from collections.abc import Container

UNLIMITED = 1 << 62
"""cgroup v1 says "no limit" as 9223372036854771712, the largest multiple of a page."""


def field(data: bytes, key: bytes) -> int | None:
    """The number after `key`, which holds what stands before it, the newline too: b"\\nanon "."""
    at = data.find(key)
    if at < 0:
        return None
    at += len(key)
    end = data.find(b"\n", at)
    return _integer(data[at:end] if end >= 0 else data[at:])


def first_field(data: bytes, key: bytes) -> int | None:
    """As `field`, for a key that may be the first of the file: b"usage_usec "."""
    if data.startswith(key):
        return field(data, key)
    return field(data, b"\n" + key)


def number(data: bytes | None) -> int | None:
    """A file that is one number."""
    return None if data is None else _integer(data)


def limit(data: bytes | None) -> int | None:
    """A file that is one number or `max`; None when there is no limit."""
    value = number(data)
    return None if value is None or value >= UNLIMITED or value < 0 else value


def cpu_max(data: bytes | None) -> float | None:
    """cgroup v2 cpu.max, `quota period` in microseconds, as cores; None when unlimited."""
    words = (data or b"").split()
    if len(words) != 2:
        return None
    return quota_cores(_integer(words[0]), _integer(words[1]))


def quota_cores(quota_us: int | None, period_us: int | None) -> float | None:
    """CFS quota over period as cores; None when unlimited (v1 says -1)."""
    if quota_us is None or not period_us or quota_us <= 0:
        return None
    return quota_us / period_us


def pressure_us(data: bytes) -> int | None:
    """PSI: microseconds in which some task waited. `some avg10=.. avg60=.. avg300=.. total=N`, then a line `full`."""
    return _integer(data[: data.find(b"\n")].rpartition(b"=")[2])


def io_stat(data: bytes, stacked: Container[bytes]) -> tuple[int, int]:
    """cgroup v2 io.stat: bytes read and written, without `stacked` devices, whose bytes the disk below counts again."""
    read = written = 0
    for line in data.split(b"\n"):
        device, _, rest = line.partition(b" ")
        if not rest or device in stacked:
            continue
        for word in rest.split(b" ", 2)[:2]:
            if word.startswith(b"rbytes="):
                read += _integer(word[7:]) or 0
            elif word.startswith(b"wbytes="):
                written += _integer(word[7:]) or 0
    return read, written


def blkio(data: bytes, stacked: Container[bytes]) -> tuple[int, int]:
    """cgroup v1 blkio.throttle.io_service_bytes: lines `major:minor Read N`, as bytes read and written."""
    read = written = 0
    for line in data.split(b"\n"):
        words = line.split(b" ")
        if len(words) != 3 or words[0] in stacked:
            continue
        if words[1] == b"Read":
            read += _integer(words[2]) or 0
        elif words[1] == b"Write":
            written += _integer(words[2]) or 0
    return read, written


def net_dev(data: bytes) -> tuple[int, int]:
    """/proc/PID/net/dev: bytes received and sent over every interface but loopback."""
    received = sent = 0
    for line in data.split(b"\n")[2:]:
        name, _, rest = line.partition(b":")
        words = rest.split()
        if len(words) >= 9 and name.strip() != b"lo":
            received += int(words[0])
            sent += int(words[8])
    return received, sent


def _integer(text: bytes) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
