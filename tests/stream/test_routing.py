"""What every log does to a message before it is written."""

from __future__ import annotations

import pytest

from stream.contract import LogError, Message, MessageTooLargeError
from stream.routing import check_sizes, message_bytes, partition_for


def test_a_message_counts_its_key_value_and_headers() -> None:
    """'ü' is two bytes: 2 (key) + 3 (value) + 4 + 2 (header) = 11."""
    assert message_bytes(Message("ü", b"abc", {"name": "ü"})) == 11
    assert message_bytes(Message("k", None)) == 1


def test_a_message_at_the_bound_passes() -> None:
    """11 bytes under a bound of 11 pass; under 10 they are named with their size and the mend."""
    message = Message("ü", b"abc", {"name": "ü"})
    check_sizes("in", [message], 11)
    with pytest.raises(MessageTooLargeError, match=r"in: a message with key 'ü' has 11 bytes; at most 10 are taken"):
        check_sizes("in", [message], 10)


def test_a_partition_is_named_or_follows_from_the_key() -> None:
    """crc32(b"a/b/c/d/e") = 0x214d672f, which is 15 modulo 16."""
    assert partition_for("in", Message("a/b/c/d/e", b""), 16) == 15
    assert partition_for("in", Message("a/b/c/d/e", b"", partition=3), 16) == 3
    for wrong in (-1, 16):
        with pytest.raises(LogError, match=f"in: a message names partition {wrong}; the stream has 0 to 15"):
            partition_for("in", Message("k", b"", partition=wrong), 16)
