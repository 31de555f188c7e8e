"""Which cgroup a process is in, by its path in the hierarchy as the host has it.

A container of cgroup v2 has a cgroup namespace of its own. In it /proc/PID/cgroup tells paths from the container's own
cgroup: what is elsewhere begins with `/..`, as many times as the container lies deep. Unless they are led back to the
host's root, no process of another pod would be known for a pod's, and all would be counted twice.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path

from collector.host.files import read_if_there


@dataclass(frozen=True, slots=True)
class CgroupPaths:
    """hierarchy: of the lines in /proc/PID/cgroup, the one that counts: `0::` or a controller of v1.
    root: this process's own cgroup namespace, from the host's root; empty: it is the host's."""

    hierarchy: bytes
    root: str = ""

    def of(self, lines: list[bytes]) -> str:
        """The path of a process, from the lines of its /proc/PID/cgroup; "" when it has none."""
        path = path_in(lines, self.hierarchy)
        return posixpath.normpath(self.root + path) if self.root and path else path


def path_in(lines: list[bytes], hierarchy: bytes) -> str:
    """The path of the line `id:controllers:path` that names a hierarchy; a path may hold colons. "" without one."""
    for line in lines:
        words = line.split(b":", 2)
        if hierarchy in line[: len(line) - len(words[-1])]:
            return words[-1].decode("utf-8", "replace")
    return ""


def cgroup_paths(proc: str, tree: str | None, hierarchy: bytes, pid: int) -> CgroupPaths:
    """`tree`: where the host's hierarchy is mounted; `pid`: this process, as `proc` numbers it."""
    first = path_in(_lines(proc, 1), hierarchy)
    if tree is None or not first.startswith("/.."):
        return CgroupPaths(hierarchy)
    absolute, relative = _folder_of(tree, pid), path_in(_lines(proc, pid), hierarchy).rstrip("/")
    return CgroupPaths(hierarchy, absolute.removesuffix(relative))


def _lines(proc: str, pid: int) -> list[bytes]:
    return (read_if_there(f"{proc}/{pid}/cgroup") or b"").split(b"\n")


def _folder_of(tree: str, pid: int) -> str:
    """The cgroup, under `tree`, that lists a process. Looked for once, at the start: some hundred small files."""
    own = str(pid).encode()
    for folder, _, files in os.walk(tree):
        if "cgroup.procs" in files and own in (read_if_there(f"{folder}/cgroup.procs") or b"").split():
            return f"/{Path(folder).relative_to(tree)}"
    return ""
