"""Chunks as Prometheus writes them (tsdb/chunkenc/xor.go), bit by bit: what the columnar decoder is held against."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_NO_WINDOW = 0xFF


def chunk_of(samples: Sequence[tuple[int, float]]) -> bytes:
    """(milliseconds, value), ascending."""
    out, leading, trailing, distance = "", _NO_WINDOW, 0, 0
    for i, (time, value) in enumerate(samples):
        bits = _bits(value)
        if i == 0:
            out += _varint((time << 1) ^ (time >> 63)) + f"{bits:064b}"
            continue
        new = time - samples[i - 1][0]
        out += _varint(new) if i == 1 else _difference(new - distance)
        distance = new
        text, leading, trailing = _changed(bits ^ _bits(samples[i - 1][1]), leading, trailing)
        out += text
    out += "0" * (-len(out) % 8)
    return struct.pack(">H", len(samples)) + int("1" + out, 2).to_bytes(len(out) // 8 + 1, "big")[1:]


def _bits(value: float) -> int:
    return int.from_bytes(struct.pack(">d", value), "big")


def _varint(number: int) -> str:
    out = ""
    while number > 127:
        out += f"{number & 127 | 128:08b}"
        number >>= 7
    return out + f"{number:08b}"


def _difference(number: int) -> str:
    if number == 0:
        return "0"
    for prefix, bits in (("10", 14), ("110", 17), ("1110", 20)):
        if -(1 << bits - 1) + 1 <= number <= 1 << bits - 1:
            return prefix + f"{number & (1 << bits) - 1:0{bits}b}"
    return "1111" + f"{number & (1 << 64) - 1:064b}"


def _changed(xor: int, leading: int, trailing: int) -> tuple[str, int, int]:
    if not xor:
        return "0", leading, trailing
    before, behind = min(64 - xor.bit_length(), 31), (xor & -xor).bit_length() - 1
    if leading != _NO_WINDOW and before >= leading and behind >= trailing:
        kept = 64 - leading - trailing
        return "10" + f"{xor >> trailing:0{kept}b}", leading, trailing
    kept = 64 - before - behind
    return "11" + f"{before:05b}{kept & 63:06b}{xor >> behind:0{kept}b}", before, behind
