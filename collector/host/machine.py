"""What the node is: processor, memory, NUMA nodes, disks, network cards, kernel features."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from collector.host import parse
from collector.host.files import read_if_there
from collector.host.layout import Layout
from models.inventory import Disk, NetworkInterface, NumaNode

_VIRTUAL_DISKS = ("loop", "ram", "zram", "dm-", "md", "sr", "nbd", "fd")
_STACKED_DISKS = ("loop", "dm-", "md", "zram", "ram")
_SECTOR_BYTES = 512


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts that hold as long as the machine runs."""

    cpu_model: str
    cpu_cores: float
    memory_bytes: int
    numa: tuple[NumaNode, ...]
    disks: tuple[Disk, ...]
    interfaces: tuple[NetworkInterface, ...]
    kernel: dict[str, str]
    boot_id: str
    stacked: frozenset[bytes]
    """Block devices, as b"253:0", whose bytes the disk below counts again."""

    @property
    def psi(self) -> bool:
        return self.kernel["psi"] == "yes"


def look(proc: str, sys: str, layout: Layout) -> Machine:
    """Read the facts. What cannot be read is left empty or 0."""
    cpuinfo = _text(f"{proc}/cpuinfo")
    meminfo = read_if_there(f"{proc}/meminfo") or b""
    return Machine(
        cpu_model=_cpu_model(cpuinfo),
        cpu_cores=float(len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE))),
        memory_bytes=_kib(meminfo, "MemTotal"),
        numa=_numa(f"{sys}/devices/system/node"),
        disks=_disks(f"{sys}/block"),
        interfaces=_interfaces(f"{sys}/class/net"),
        kernel=_kernel(proc, layout),
        boot_id=_text(f"{proc}/sys/kernel/random/boot_id"),
        stacked=frozenset(
            device
            for name in _names(f"{sys}/block")
            if name.startswith(_STACKED_DISKS) and (device := (read_if_there(f"{sys}/block/{name}/dev") or b"").strip())
        ),
    )


def _cpu_model(cpuinfo: str) -> str:
    """x86 and s390 name the model; ARM gives numbers of implementer and part."""
    for key in ("model name", "Model", "cpu model", "cpu"):
        if match := re.search(rf"^{key}\s*:\s*(.+)$", cpuinfo, re.MULTILINE):
            return match[1].strip()
    part, maker = (re.search(rf"^CPU {key}\s*:\s*(\S+)$", cpuinfo, re.MULTILINE) for key in ("part", "implementer"))
    return f"ARM implementer {maker[1]} part {part[1]}" if part and maker else ""


def _kernel(proc: str, layout: Layout) -> dict[str, str]:
    controllers = _text(f"{layout.trees['unified']}/cgroup.controllers") if layout.unified else ""
    return {
        "release": _text(f"{proc}/sys/kernel/osrelease"),
        "cgroup": layout.version,
        "cgroup_controllers": controllers or " ".join(name for name in layout.trees if name != "unified"),
        "psi": "yes" if read_if_there(f"{proc}/pressure/cpu") else "no",
        "swap": "yes" if _kib(read_if_there(f"{proc}/meminfo") or b"", "SwapTotal") else "no",
        "page_bytes": str(os.sysconf("SC_PAGE_SIZE")),
    }


def _numa(folder: str) -> tuple[NumaNode, ...]:
    indices = sorted(int(name[4:]) for name in _names(folder) if re.fullmatch(r"node\d+", name))
    return tuple(
        NumaNode(
            i,
            _text(f"{folder}/node{i}/cpulist"),
            _kib(re.sub(rb"(?m)^Node \d+ ", b"", read_if_there(f"{folder}/node{i}/meminfo") or b""), "MemTotal")
            or None,
        )
        for i in indices
    )


def _disks(folder: str) -> tuple[Disk, ...]:
    disks = []
    for name in _names(folder):
        if name.startswith(_VIRTUAL_DISKS):
            continue
        sectors = parse.number(read_if_there(f"{folder}/{name}/size"))
        rotational = parse.number(read_if_there(f"{folder}/{name}/queue/rotational"))
        size = None if sectors is None else sectors * _SECTOR_BYTES
        disks.append(Disk(name, size, None if rotational is None else bool(rotational)))
    return tuple(disks)


def _interfaces(folder: str) -> tuple[NetworkInterface, ...]:
    """Cards with a device behind them; bridges, tunnels and a pod's veth have none. Speed is in Mbit/s, -1 unknown."""
    cards = []
    for name in _names(folder):
        if os.path.exists(f"{folder}/{name}/device"):
            speed = parse.number(read_if_there(f"{folder}/{name}/speed"))
            cards.append(NetworkInterface(name, speed * 1_000_000 if speed and speed > 0 else None))
    return tuple(cards)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _text(path: str) -> str:
    return (read_if_there(path) or b"").decode("utf-8", "replace").strip()


def _kib(meminfo: bytes, key: str) -> int:
    match = re.search(rf"^{key}:\s+(\d+) kB".encode(), meminfo, re.MULTILINE)
    return int(match[1]) << 10 if match else 0
