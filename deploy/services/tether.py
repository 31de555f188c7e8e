"""`python tether.py PARENT COMMAND...` becomes COMMAND, and is killed by the kernel when PARENT dies.

A service must not outlive the test run or the terminal that started it, not even when that one was killed with SIGKILL.
The process keeps its id over the exec. Outside Linux there is no such signal; there the parent's own clean-up is all.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        raise SystemExit(1)
    os.execvp(command[0], command)  # noqa: S606  (becoming the given program is the purpose)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
