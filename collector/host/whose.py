"""Whose a process or container is, by the very names that the host source gives: for sources that know either."""

from __future__ import annotations

from typing import NamedTuple

from collector.host.cgroup_paths import CgroupPaths
from collector.host.files import read_if_there
from collector.host.group_workloads import GroupWorkloads
from collector.host.tracked import Tracked
from collector.host.workloads import CgroupWorkloads


class Instance(NamedTuple):
    """A workload and one instance of it, as rows name them."""

    workload: str
    instance: str


class Whose:
    """Answers from the newest read of the host source, in the thread that reads it."""

    def __init__(self, proc: str, paths: CgroupPaths, cgroups: CgroupWorkloads, groups: GroupWorkloads) -> None:
        self._proc, self._paths = proc, paths
        self._cgroups, self._groups = cgroups, groups

    def process(self, pid: int) -> Instance | None:
        """None when it is gone, in another namespace of process ids, or has no name yet."""
        lines = (read_if_there(f"{self._proc}/{pid}/cgroup") or b"").split(b"\n")
        tracked = self._cgroups.holder(self._paths.of(lines))
        if tracked is not None:
            return _instance(tracked)
        group = self._groups.holder(pid)
        return None if group is None else Instance(*group)

    def container(self, namespace: str, pod: str, container: str) -> Instance | None:
        """None when it does not run here, or has no name yet."""
        for tracked in self._cgroups.tracked():
            named = tracked.named
            if named and (named.name.namespace, named.pod, named.name.container) == (namespace, pod, container):
                return _instance(tracked)
        return None


def _instance(tracked: Tracked) -> Instance | None:
    return None if tracked.named is None else Instance(tracked.workload, tracked.named.instance)
