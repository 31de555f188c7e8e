"""A member of a group in a process of its own, which a test stops, kills and commands by lines on its standard input."""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType

import msgspec

from stream.contract import EventLog, FencedError, Message
from stream.open import open_log
from stream.settings import LogSettings
from tests.stream.conformance.members import Member, drive, numbered


class MemberProcess:
    """The test's end: `ask` sends a command and returns the answer."""

    def __init__(self, settings: LogSettings, group: str, stream: str) -> None:
        arguments = [msgspec.json.encode(settings).decode(), group, stream]
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, command: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def __enter__(self) -> MemberProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()


def main(settings: str, group: str, stream: str) -> None:
    log = open_log(msgspec.json.decode(settings, type=LogSettings))
    member = Member(log, group, stream)
    for line in sys.stdin:
        print(_answer(line.strip(), log, member), flush=True)


def _answer(command: str, log: EventLog, member: Member) -> str:
    name, _, argument = command.partition(" ")
    if name == "join":
        drive([member], lambda: len(member.owns) == int(argument))
        return str(sorted(member.owns))
    if name == "commit":
        return _commit(member)
    assert name == "append"
    writer = log.writer()
    for message in numbered(int(argument)):
        writer.append("in", [message])
        writer.flush(30)
    writer.close()
    return "appended"


def _commit(member: Member) -> str:
    """Commit offset 1 of every partition that this member believes to own, and say what came of it."""
    try:
        member.subscription.commit(dict.fromkeys(member.owns, 1), {"out": [Message("k", b"of a zombie")]})
    except FencedError:
        return f"fenced, told {member.told[-1]}, owns {sorted(member.owns)}"
    return "committed"


if __name__ == "__main__":
    main(*sys.argv[1:])
