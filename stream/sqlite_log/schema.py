"""The tables of the log's file."""

from __future__ import annotations

APPLICATION_ID = 0x53495A57
"""`SIZW` in the file's header: `file sizewise.db` shows it, and no other program's file is taken for a log."""
VERSION = 1
OFFSET_BITS = 40
"""A message's id is its slot (a partition of a stream, numbered over all streams) followed by its offset: 10^12
messages in each of 8 million partitions, found by one B-tree that needs no second index."""

CREATE = (
    """CREATE TABLE streams (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL, first_slot INTEGER NOT NULL,
        compacted INTEGER NOT NULL, retention_ms INTEGER, max_message_bytes INTEGER NOT NULL)""",
    "CREATE TABLE slots (slot INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL)",
    # value comes last, so that the rest of a row is read without the pages that a long value overflows to
    """CREATE TABLE messages (
        id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, written_ms INTEGER NOT NULL, key TEXT NOT NULL,
        headers TEXT NOT NULL, value BLOB)""",
    # of compacted streams: the one message of a key that is kept, and since when that is a tombstone
    """CREATE TABLE newest (
        slot INTEGER NOT NULL, key TEXT NOT NULL, id INTEGER NOT NULL, buried_ms INTEGER,
        PRIMARY KEY (slot, key)) WITHOUT ROWID""",
    "CREATE INDEX buried ON newest (buried_ms) WHERE buried_ms IS NOT NULL",
    # epoch counts joins, departures and releases: who sees it change looks for partitions to take or to give up
    """CREATE TABLE groups (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, stream_id INTEGER NOT NULL, epoch INTEGER NOT NULL DEFAULT 0,
        UNIQUE (name, stream_id))""",
    """CREATE TABLE offsets (
        group_id INTEGER NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
        PRIMARY KEY (group_id, partition)) WITHOUT ROWID""",
    # AUTOINCREMENT: the id of a member that was expelled is never another's, so it can stand in a lease for fencing
    """CREATE TABLE members (
        id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER NOT NULL, pulse TEXT NOT NULL, expires_s REAL NOT NULL)""",
    """CREATE TABLE leases (
        group_id INTEGER NOT NULL, partition INTEGER NOT NULL, member_id INTEGER NOT NULL,
        PRIMARY KEY (group_id, partition)) WITHOUT ROWID""",
)
