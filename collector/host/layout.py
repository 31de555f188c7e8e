"""Which cgroup version a machine has, and in which folder each kind of file lies."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Version = Literal["v1", "v2", "hybrid", "none"]

_V1_CONTROLLERS = ("cpuacct", "cpu", "memory", "blkio")


@dataclass(frozen=True, slots=True)
class Layout:
    """Roots of the cgroup hierarchies of one machine.

    version: `hybrid` is v1 with a v2 hierarchy beside it that has no controllers
    trees:   folder of each hierarchy: `unified` (v2), `cpuacct`, `cpu`, `memory`, `blkio` (v1)
    """

    version: Version
    trees: Mapping[str, str]

    @property
    def unified(self) -> bool:
        """Whether the v2 hierarchy has the controllers."""
        return self.version == "v2"

    @property
    def main(self) -> str | None:
        """The hierarchy that counts CPU time: what is a cgroup there can be a workload. None: there is none."""
        return self.trees.get("unified" if self.unified else "cpuacct")


def detect(root: str) -> Layout:
    """The layout under a cgroup mount such as /sys/fs/cgroup."""
    base = Path(root)
    if (base / "cgroup.controllers").is_file():
        return Layout("v2", {"unified": root})
    trees = {name: path for name in _V1_CONTROLLERS if (path := _v1_tree(base, name)) is not None}
    unified = base / "unified"
    if (unified / "cgroup.controllers").is_file():
        trees["unified"] = str(unified)
        return Layout("hybrid" if len(trees) > 1 else "v2", trees)
    return Layout("v1" if trees else "none", trees)


def _v1_tree(base: Path, controller: str) -> str | None:
    """`cpuacct` may be a folder of its own, a link, or half of `cpu,cpuacct`."""
    if (base / controller).is_dir():
        return str(base / controller)
    joined = (name for name in sorted(os.listdir(base)) if controller in name.split(",")) if base.is_dir() else iter(())
    return next((str(base / name) for name in joined), None)
