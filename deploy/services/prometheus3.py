"""Prometheus 3: the sender of remote-write 2.0. Started like Debian's."""

from __future__ import annotations

from pathlib import Path

from deploy.services import prometheus3_build
from deploy.services.prometheus import PrometheusServer
from deploy.services.service import Service, Tool

PROMETHEUS3 = Service(
    name="prometheus3",
    version="3.16",
    about="pushes remote-write 2.0",
    cost="6 min of processor time, 100 MB",
    tools=(Tool("go", ("golang-go",)),),
    recipe=(Path(prometheus3_build.__file__),),
    build=prometheus3_build.build,
    start=PrometheusServer,
)
