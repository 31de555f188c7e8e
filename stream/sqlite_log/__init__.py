"""The event log in one SQLite file, shared by the processes of one machine.

Law: nothing here knows what a message means. Every change is one transaction, so that a process may be killed at any
instruction; every wait is bounded; all work done for others (compaction, retention, rebalancing) comes in small steps
inside the transactions of those who write.
"""

from stream.sqlite_log.log import SqliteLog

__all__ = ["SqliteLog"]
