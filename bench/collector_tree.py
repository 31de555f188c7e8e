"""A recorded Kubernetes node as files, with counters that advance: what the collector's bench reads.

cgroup v2 with the systemd driver: pods of two containers and a sandbox each, and some services. The numbers in the
files have a fixed width, so that one write replaces a content whole and no reader sees half of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

CONTAINERS_PER_POD = 2
SERVICES = 25
_FIRST_PID = 1000
_HOST_NAMESPACE = "net:[4026531840]"

_MEMORY_STAT = (
    "anon {anon:012d}\nfile {file:012d}\nkernel 0004571136\nkernel_stack 0000098304\npagetables 0000741376\n"
    "sec_pagetables 0\npercpu 0000002880\nsock 0\nvmalloc 0\nshmem 0000135168\nzswap 0\nzswapped 0\n"
    "file_mapped 0012976128\nfile_dirty 0000012288\nfile_writeback 0\nswapcached 0\nanon_thp 0\nfile_thp 0\n"
    "shmem_thp 0\ninactive_anon {anon:012d}\nactive_anon 0000040960\ninactive_file {cold:012d}\n"
    "active_file 0004284416\nunevictable 0\nslab_reclaimable 0002506520\nslab_unreclaimable 0000741640\n"
    "slab 0003248160\nworkingset_refault_anon 0\nworkingset_refault_file 0000000512\nworkingset_activate_anon 0\n"
    "workingset_activate_file 0000000342\nworkingset_restore_anon 0\nworkingset_restore_file 0000000201\n"
    "workingset_nodereclaim 0\npgscan 0000009472\npgsteal 0000008123\npgscan_kswapd 0000009472\npgscan_direct 0\n"
    "pgscan_khugepaged 0\npgsteal_kswapd 0000008123\npgsteal_direct 0\npgsteal_khugepaged 0\npgfault 0001234567\n"
    "pgmajfault 0000000134\npgrefill 0000001432\npgactivate 0000005234\npgdeactivate 0000001277\npglazyfree 0\n"
    "pglazyfreed 0\nthp_fault_alloc 0\nthp_collapse_alloc 0\nthp_swpout 0\nthp_swpout_fallback 0\n"
)
_CPU_STAT = (
    "usage_usec {usage:012d}\nuser_usec {user:012d}\nsystem_usec {system:012d}\nnice_usec 0\n"
    "core_sched.force_idle_usec 0\nnr_periods {periods:010d}\nnr_throttled {throttled:010d}\n"
    "throttled_usec {throttled:010d}\nnr_bursts 0\nburst_usec 0\n"
)
_PRESSURE = "some avg10=0.12 avg60=0.10 avg300=0.05 total={wait:012d}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
_IO = "259:0 rbytes={read:012d} wbytes={written:012d} rios=0000012345 wios=0000054321 dbytes=0 dios=0\n"
_EVENTS = "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n"
_NET = (
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier "
    "compressed\n"
    "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0 0\n"
    "  eth0: {read:012d} 0000012 0 0 0 0 0 0 {written:012d} 0000034 0 0 0 0 0 0\n"
)


@dataclass(slots=True)
class RecordedNode:
    """The files of one node under `root`: `cgroup`, `proc`, `sys` and `host` (for var/log)."""

    root: Path
    containers: int
    _moving: list[tuple[int, int, str]] = field(default_factory=list)
    _pid: int = _FIRST_PID

    def write(self) -> None:
        """Make all files."""
        self._machine()
        slices = self.root / "cgroup/kubepods.slice/kubepods-burstable.slice"
        for pod in range(-(-self.containers // CONTAINERS_PER_POD)):
            uid = f"{pod:08x}-0000-4000-8000-{pod:012x}"
            folder = slices / f"kubepods-burstable-pod{uid.replace('-', '_')}.slice"
            for place in range(CONTAINERS_PER_POD + 1):
                self._container(pod, place, uid, folder)
            self._cgroup(folder, pod)
        self._cgroup(slices, 0)
        self._cgroup(slices.parent, 0)
        for service in range(SERVICES):
            self._cgroup(self.root / f"cgroup/system.slice/daemon-{service:02d}.service", service)

    def advance(self, step: int) -> None:
        """Move every counter to what it is at second `step`."""
        for descriptor, seed, template in self._moving:
            os.pwrite(descriptor, _filled(template, seed, step), 0)

    def close(self) -> None:
        for descriptor, _, _ in self._moving:
            os.close(descriptor)

    def _machine(self) -> None:
        cores = "".join(f"processor\t: {i}\nmodel name\t: Recorded CPU\n\n" for i in range(64))
        for name, text in {
            "proc/meminfo": "MemTotal:       263840000 kB\nSwapTotal:             0 kB\n",
            "proc/cpuinfo": cores,
            "proc/pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
            "proc/sys/kernel/osrelease": "6.8.0\n",
            "proc/sys/kernel/random/boot_id": "00000000-0000-4000-8000-000000000000\n",
            "cgroup/cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc\n",
            "sys/block/nvme0n1/size": "3750748848\n",
        }.items():
            _write(self.root / name, text)
        self._process(1, "/init.scope", _HOST_NAMESPACE, "systemd", -1)

    def _container(self, pod: int, place: int, uid: str, folder: Path) -> None:
        identity = f"{pod:032x}{place:032x}"
        scope = folder / f"cri-containerd-{identity}.scope"
        self._cgroup(scope, pod * 7 + place)
        self._pid += 1
        path = "/" + str(scope.relative_to(self.root / "cgroup"))
        self._process(self._pid, path, f"net:[{4026600000 + pod}]", "app", pod)
        _write(scope / "cgroup.procs", f"{self._pid}\n")
        if place < CONTAINERS_PER_POD:
            log = f"service-{pod}-7d9c8b6f5-x2k4m_default_app{place}-{identity}.log"
            _write(self.root / "host/var/log/containers" / log, "")
        else:
            bundle = f"host/run/containerd/io.containerd.runtime.v2.task/k8s.io/{identity}/config.json"
            notes = f'"io.kubernetes.cri.sandbox-name": "service-{pod}", "io.kubernetes.cri.container-type": "sandbox"'
            _write(self.root / bundle, f'{{"annotations": {{{notes}}}}}')

    def _cgroup(self, folder: Path, seed: int) -> None:
        for name, template in {
            "cpu.stat": _CPU_STAT,
            "memory.current": "{current:012d}\n",
            "memory.stat": _MEMORY_STAT,
            "io.stat": _IO,
            "cpu.pressure": _PRESSURE,
            "memory.pressure": _PRESSURE,
            "io.pressure": _PRESSURE,
        }.items():
            self._move(folder / name, seed, template)
        for name, text in {
            "memory.events": _EVENTS,
            "memory.max": "2147483648\n",
            "cpu.max": "200000 100000\n",
            "cpu.weight": "39\n",
        }.items():
            _write(folder / name, text)

    def _process(self, pid: int, cgroup: str, namespace: str, comm: str, seed: int) -> None:
        folder = self.root / f"proc/{pid}"
        rest = "S 1 1 1 0 -1 4194560 100 0 0 0 5 5 0 0 20 0 1 0 100 10000000 500 18446744073709551615 1 1 0 0 0 0 0"
        for name, text in {
            "stat": f"{pid} ({comm}) {rest}\n",
            "cgroup": f"0::{cgroup}\n",
            "cmdline": f"/{comm}\0",
            "oom_score_adj": "987\n",
        }.items():
            _write(folder / name, text)
        (folder / "ns").mkdir()
        (folder / "ns/net").symlink_to(namespace)
        self._move(folder / "net/dev", seed, _NET)

    def _move(self, file: Path, seed: int, template: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
        self._moving.append((descriptor, seed, template))
        os.pwrite(descriptor, _filled(template, seed, 0), 0)


def _filled(template: str, seed: int, step: int) -> bytes:
    """The content at one second: each workload uses 0.05 to 0.95 cores and 100 to 1,000 MB."""
    share = 5 + seed * 13 % 91
    usage = step * share * 10_000
    anon = (100 + seed * 37 % 900 + step * (seed % 2) % 17) << 20
    return template.format(
        usage=usage,
        user=usage * 4 // 5,
        system=usage // 5,
        periods=step * 10,
        throttled=step * share // 30,
        anon=anon,
        file=64 << 20,
        cold=32 << 20,
        current=anon + (64 << 20),
        read=step * share * 4096,
        written=step * share * 2048,
        wait=step * share * 100,
    ).encode()


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
