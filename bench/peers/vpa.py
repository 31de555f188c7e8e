"""The Kubernetes VPA recommender 1.8.1, built from its own Go packages (`vpa/main.go`) and run on one core."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.services.cache import Cache
from deploy.services.service import Running, Service, ServiceError
from deploy.services.tools import run

VERSION = "1.8.1"
_SOURCE = Path(__file__).parent / "vpa"
_BUILD_TIMEOUT_S = 600.0
_RUN_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class VpaFigures:
    """All per second of processor time, with 10,000 containers whose histograms hold eight days.

    samples_per_s:                 ClusterState.AddSample
    recommendations_per_s:         estimators and API object, from an aggregate at hand
    loop_recommendations_per_s:    as its loop does it each minute: aggregates merged first
    encoded_recommendations_per_s: that, and the API object as JSON
    """

    containers: int
    samples_per_s: float
    recommendations_per_s: float
    loop_recommendations_per_s: float
    encoded_recommendations_per_s: float


def vpa_figures() -> VpaFigures | None:
    """Measure it now, for 20 s; the first time it is built, which takes 2 minutes and the Go module proxy.

    None when `go` is not on PATH. Raises ServiceError when it cannot be built or run.
    """
    if shutil.which("go") is None:
        return None
    cache = Cache.from_environment()
    cache.build(VPA_PEER, lambda _: None)
    command = [str(cache.require(VPA_PEER) / "vpa-peer")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_RUN_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise ServiceError(f"{VPA_PEER} failed: {error}") from error
    return VpaFigures(**json.loads(done.stdout))


def _build(folder: Path) -> None:
    run(("go", "build", "-C", str(_SOURCE), "-trimpath", "-o", str(folder / "vpa-peer"), "."), _BUILD_TIMEOUT_S)


def _start(folder: Path, port: int | None) -> Running:
    raise ServiceError("vpa-peer is a measurement, not a server: `python -m bench recommend` runs it")


VPA_PEER = Service(
    name="vpa-peer",
    version=VERSION,
    about="the Kubernetes VPA recommender's model and logic, as a measurement",
    cost="2 min, 40 MB",
    tools=(),
    recipe=tuple(_SOURCE / name for name in ("main.go", "go.mod", "go.sum")),
    build=_build,
    start=_start,
)
