"""The cgroups of a machine, watched cheaply: a folder is listed again only when it changed."""

from __future__ import annotations

import os
from collections.abc import Callable

from collector.host.found import Found

_MAX_DEPTH = 12
_MAX_FOLDERS = 20_000
"""Above this a tree is cut: something makes cgroups without end."""

Signature = tuple[int, int]
Children = dict[str, tuple[int, Found | None]]


class CgroupTree:
    """Walks one hierarchy down to what is recognised as a workload; below that nothing is looked at.

    A folder's children are taken from memory while its times and link count stay the same: the kernel counts a
    cgroup's children in its link count, and ordinary file systems (a recorded tree) move its mtime. A child that is
    removed and another made between two walks leaves both the same; the reader of the removed one notices, and says
    `forget` of its folder.
    """

    def __init__(self, root: str, recognise: Callable[[str], Found | None]) -> None:
        self._root, self._recognise = root, recognise
        self._listed: dict[str, tuple[Signature, Children]] = {}

    def walk(self) -> tuple[dict[str, tuple[int, Found]], bool]:
        """Workloads by path below the root, each with its inode, and whether anything changed since the last walk."""
        found: dict[str, tuple[int, Found]] = {}
        changed = False
        before, self._listed = self._listed, {}
        folders = [""]
        while folders and len(self._listed) < _MAX_FOLDERS:
            path = folders.pop()
            children, fresh = self._children(path, before.get(path))
            changed |= fresh
            for child, (inode, workload) in children.items():
                if workload is not None:
                    found[child] = (inode, workload)
                elif child.count("/") < _MAX_DEPTH:
                    folders.append(child)
        return found, changed or len(before) != len(self._listed)

    def forget(self, path: str) -> None:
        """List the folder of this path again at the next walk."""
        self._listed.pop(os.path.dirname(path.rstrip("/")), None)

    def _children(self, path: str, known: tuple[Signature, Children] | None) -> tuple[Children, bool]:
        folder = self._root + path
        try:
            stat = os.stat(folder)
            signature = (stat.st_mtime_ns, stat.st_nlink)
            if known is not None and known[0] == signature:
                self._listed[path] = known
                return known[1], False
            children = self._list(path, known[1] if known else {})
        except OSError:
            return {}, True
        self._listed[path] = (signature, children)
        return children, True

    def _list(self, path: str, known: Children) -> Children:
        children: Children = {}
        with os.scandir(self._root + path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    child = f"{path}/{entry.name}"
                    before = known.get(child)
                    workload = before[1] if before else self._recognise(child)
                    children[child] = (entry.inode(), workload)
        return children
