"""The variables at the head of each dashboard."""

from __future__ import annotations

from grafanalib.core import REFRESH_ON_TIME_RANGE_CHANGE, Template

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def datasource() -> Template:
    return Template(name="datasource", label="Data source", type="datasource", query="prometheus", sort=0)


def _values(name: str, label: str, metric: str, *given: str, every: bool = True, none: bool = False) -> Template:
    """The values of a label of a metric, among the series that the variables before it let through. every: several or all
    may be chosen. none: All takes series without the label too."""
    chosen = ", ".join(f'{other}=~"${other}"' for other in given)
    query = f"label_values({metric}{{{chosen}}}, {name})" if given else f"label_values({metric}, {name})"
    return Template(
        name=name,
        label=label,
        dataSource=DATASOURCE,
        query=query,
        includeAll=every,
        multi=every,
        allValue=(".*" if none else ".+") if every else None,
        refresh=REFRESH_ON_TIME_RANGE_CHANGE,
    )


def job() -> Template:
    return _values("job", "Job", "sizewise_build_info")


def instance() -> Template:
    return _values("instance", "Instance", "sizewise_build_info", "job")


def cluster() -> Template:
    return _values("cluster", "Cluster", "sizewise_workloads", "job")


def namespace() -> Template:
    return _values("namespace", "Namespace", "sizewise_namespace_workloads", "job", "cluster", none=True)


def workload(every: bool = True) -> Template:
    """`every` False: exactly one, for a page about it."""
    return _values(
        "workload", "Workload", "sizewise_workload_instances", "job", "cluster", "namespace", every=every, none=True
    )


def down_to_workloads() -> list[Template]:
    """From the data source to any number of workloads: what a page about the fleet can be narrowed by."""
    return [datasource(), job(), cluster(), namespace(), workload()]
