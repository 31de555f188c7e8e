"""Bodies unpacked within bounds: how large one becomes is known before it is unpacked, or it is unpacked piece by piece."""

from __future__ import annotations

import zlib

import cramjam

from collector.listen.refusal import RequestRefusedError

_PIECE = 1 << 20
_MOST_MEMBERS = 64
"""Senders make one. An empty one takes 20 bytes of the body and some microseconds, which add up."""


def unsnap(body: bytes, max_bytes: int) -> bytes:
    """A snappy block. Its first varint declares the size. Raises RequestRefusedError."""
    try:
        declared = cramjam.snappy.decompress_raw_len(body)
        if declared > max_bytes:
            raise _too_large(f"declares {declared} bytes, more", max_bytes)
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise RequestRefusedError(400, f"the body is no snappy block: {error}") from error


def gunzip(body: bytes, max_bytes: int) -> bytes:
    """The members of a gzip file, one after the other; gzip's own size field is at its end and says what it likes.
    Raises RequestRefusedError."""
    parts: list[bytes] = []
    room, rest = max_bytes, body
    for _ in range(_MOST_MEMBERS):
        stream = zlib.decompressobj(wbits=31)
        while rest and not stream.eof:
            try:
                parts.append(stream.decompress(rest, min(_PIECE, room + 1)))
            except zlib.error as error:
                raise RequestRefusedError(400, f"the body is no gzip stream: {error}") from error
            room, rest = room - len(parts[-1]), stream.unconsumed_tail
            if room < 0:
                raise _too_large("unpacks to more", max_bytes)
        if not stream.eof:
            raise RequestRefusedError(400, f"the gzip stream of {len(body)} bytes ends too early")
        rest = stream.unused_data
        if not rest:
            return b"".join(parts)
    raise RequestRefusedError(400, f"the gzip stream has over {_MOST_MEMBERS} members; send one")


def _too_large(what: str, max_bytes: int) -> RequestRefusedError:
    return RequestRefusedError(413, f"the body {what} than max_unpacked_bytes = {max_bytes}; send smaller batches")


def plain(body: bytes) -> bytes:
    """A body that is not packed; the server has bounded it."""
    return body
