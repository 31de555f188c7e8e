"""Cgroup paths into workloads: Kubernetes, Slurm, systemd, docker and podman, by v1 and v2 rules of each.

Runs once per new cgroup, so regular expressions are affordable here.
"""

from __future__ import annotations

import re

from collector.host.found import Found, KubeContainer, PlainContainer, SlurmStep, Unit

_UID = r"[0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32}"
_ID = r"[0-9a-f]{64}"
_POD = re.compile(rf"^(?:kubepods(?:-(?P<qos>burstable|besteffort))?-)?pod(?P<uid>{_UID})(?:\.slice)?$")
_CONTAINER = re.compile(rf"^(?:(?:cri-containerd|crio|docker)-)?(?P<id>{_ID})(?:\.scope)?$")
# containerd that was not told of the systemd driver takes the kubelet's `slice:prefix:name` for a folder name
_UNSPLIT = re.compile(
    rf"^kubepods(?:-(?P<qos>burstable|besteffort))?-pod(?P<uid>{_UID})\.slice:cri-containerd:(?P<id>{_ID})$"
)
_SLURM = re.compile(r"/(?:slurm(?:_[^/]+)?/uid_\d+|(?:[^/]+_)?slurmstepd\.scope)/job_(\d+)/step_([\w-]+)$")
_DOCKER_SCOPE = re.compile(rf"^docker-({_ID})\.scope$")
_PODMAN_SCOPE = re.compile(rf"^libpod-({_ID})(?:\.scope)?$")
_USER_MANAGER = re.compile(r"^user@\d+\.service$")
# Accept=yes sockets: `N-local:port-remote:port`, or `N-pid-uid`
_CONNECTION = re.compile(r"^(.+@)\d+-(?:.*:\d+-.*:\d+|\d+-\d+)\.service$")
_APP_SCOPE = re.compile(r"^app-(?:(?:gnome|flatpak|dbus-:[\d.]+|KDE)-)?(?P<app>.+?)(?:[-@]\w*\d\w*)?\.scope$")
_APP_SERVICE = re.compile(r"^app-(?:[a-zA-Z]+-)?(?P<app>.+?)@[0-9a-f]+\.service$")
# Sessions, terminals and one-off runs hold whatever a person starts: their processes are grouped by command.
_SESSION = re.compile(
    r"^(?:session-\w+|init|run-.+|vte-spawn-.+|tmux-spawn-.+|kitty-.+|app-.*(?:[tT]erminal|konsole|[pP]tyxis|kitty|lacritty).*)\.(?:scope)$"
)
_TRANSIENT = re.compile(r"^run-(?:[ru][0-9a-f]+|p\d+-i\d+)\.(?:service|scope)$")
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")


def recognise(path: str) -> Found | None:
    """The workload whose cgroup this is; None for one that only holds others, or that means nothing."""
    parts = path.strip("/").split("/")
    return _kubernetes(parts) or _slurm(path) or _container(parts) or _unit(parts)


def _kubernetes(parts: list[str]) -> Found | None:
    name = parts[-1]
    if unsplit := _UNSPLIT.match(name):
        return KubeContainer(unsplit["uid"].replace("_", "-"), unsplit["id"], unsplit["qos"] or "guaranteed")
    if len(parts) < 2 or not (container := _CONTAINER.match(name)) or not (pod := _POD.match(parts[-2])):
        return None
    folder = parts[-3] if len(parts) > 2 else ""
    qos = pod["qos"] or (folder if folder in ("burstable", "besteffort") else "guaranteed")
    return KubeContainer(pod["uid"].replace("_", "-"), container["id"], qos)


def _slurm(path: str) -> Found | None:
    step = _SLURM.search(path)
    return SlurmStep(step[1], step[2]) if step else None


def _container(parts: list[str]) -> Found | None:
    name = parts[-1]
    if docker := _DOCKER_SCOPE.match(name):
        return PlainContainer("docker", docker[1])
    if podman := _PODMAN_SCOPE.match(name):
        return PlainContainer("podman", podman[1])
    if len(parts) >= 2 and parts[-2] == "docker" and re.fullmatch(_ID, name):
        return PlainContainer("docker", name)
    return None


def _unit(parts: list[str]) -> Found | None:
    name = parts[-1]
    if not name.endswith((".service", ".scope")) or _USER_MANAGER.match(name) or "slurmstepd.scope" in name:
        return None
    if _SESSION.match(name) or _TRANSIENT.match(name):
        return None
    user = any(_USER_MANAGER.match(part) for part in parts[:-1])
    if not (user or parts[0].endswith(".slice")) or parts[0].startswith("kubepods"):
        return None
    return Unit(unit_name(name), user)


def unit_name(unit: str) -> str:
    """The name that stays when a unit starts again: escapes read, and generated parts (a connection of sshd@, the
    random tail of a desktop application's scope) left out."""
    unit = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), unit)
    if connection := _CONNECTION.match(unit):
        return f"{connection[1]}.service"
    app = _APP_SCOPE.match(unit) or _APP_SERVICE.match(unit)
    return app["app"] if app else unit
