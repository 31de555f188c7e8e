"""`sizewise simulate`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from recommender.placement.cluster import Cluster
from recommender.placement.policies import Policy
from recommender.placement.request import Mix, Request
from recommender.placement.simulate import POLICIES, Outcome, replay
from recommender.placement.stays import Stay, replay_stays
from sizewise.exits import NO_DATA, USAGE, Exit
from sizewise.options import format_option
from sizewise.output import render
from sizewise.report import console
from sizewise.trace import TraceError, drawn, drawn_stays, read_nodes, read_pods, read_stays

_SHOWN_SIZES = 3
_Coming = Mapping[int | None, Sequence[Request]] | Mapping[int | None, Sequence[Stay]]
"""By seed; None: the trace as it is."""
_One = TypeVar("_One")


@dataclass(frozen=True, slots=True)
class Run:
    """One replay. seed None: in the order of the file. decisions_per_s: of process CPU time."""

    policy: str
    seed: int | None
    outcome: Outcome
    decisions_per_s: float


@click.command("simulate")
@click.argument("pods", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--nodes", required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="FILE",
              help="CSV of the nodes that there are.")  # fmt: skip
@click.option("--policy", "policies", multiple=True, type=click.Choice(list(POLICIES)),
              help="Replay against this one; may be given several times.  [default: all]")  # fmt: skip
@click.option("--load", type=click.FloatRange(0, 100, min_open=True), metavar="RATIO",
              help="Draw pods at random until they ask for this many times the GPUs; with --leave, all the time.")  # fmt: skip
@click.option("--seed", "seeds", multiple=True, type=click.IntRange(0), metavar="N", default=(1,), show_default=True,
              help="Seed of --load; several are replayed one by one.")  # fmt: skip
@click.option("--leave", is_flag=True, help="Pods leave at their deletion_time; compared is the mean over time.")
@format_option()
def command(
    pods: Path, nodes: Path, policies: tuple[str, ...], load: float | None, seeds: tuple[int, ...], leave: bool,
    output: str,
) -> None:  # fmt: skip
    """Replay a trace of arrivals against placement policies and compare them.

    Pods arrive one after the other and stay, or leave with --leave; what fits nowhere has failed. Every policy sees the
    same arrivals. PODS and --nodes are CSV, plain or .gz, as Alibaba's openb traces have them: nodes with cpu_milli,
    memory_mib, gpu and model; pods with cpu_milli, memory_mib, num_gpu, gpu_milli (1000 is a whole GPU) and gpu_spec, and for
    --leave creation_time and deletion_time in seconds. Nodes may have taints, as `kubectl taint` writes them, and pods
    tolerations (KEY=VALUE:EFFECT, KEY:EFFECT, KEY or *), several parted by |. The mix of requests that sizewise and fgd expect
    is that of PODS.

    \b
    Examples:
      sizewise simulate pods.csv --nodes nodes.csv
      sizewise simulate pods.csv.gz --nodes nodes.csv --policy sizewise --policy fgd
      sizewise simulate pods.csv --nodes nodes.csv --load 1.3 --seed 1 --seed 2 -o json
      sizewise simulate pods.csv --nodes nodes.csv --load 1.1 --leave
    """
    try:
        cluster, known = read_nodes(nodes), read_pods(pods)
        _check(cluster, known, pods, nodes)
        arrivals = _stays(pods, cluster, load, seeds) if leave else _arrivals(known, cluster, load, seeds)
    except TraceError as error:
        raise Exit(str(error), USAGE) from error
    runs = list(_runs(policies or tuple(POLICIES), cluster, Mix.of(known), arrivals))
    if output == "table":
        console().print(_table(runs))
    else:
        click.echo(render([_record(of_policy) for of_policy in _by_policy(runs)], output, _whole(cluster, known, runs)))


def _check(cluster: Cluster, pods: Sequence[Request], pods_file: Path, nodes_file: Path) -> None:
    if not cluster.capacity_milli:
        raise Exit(f"{nodes_file} has no GPU; how much of the GPUs is allocated is what is compared", NO_DATA)
    if not pods:
        raise Exit(f"{pods_file} has no pod; it needs a line per pod under its heading", NO_DATA)


def _arrivals(
    pods: list[Request], cluster: Cluster, load: float | None, seeds: Sequence[int]
) -> Mapping[int | None, Sequence[Request]]:
    """By seed; None: the trace as it is."""
    return {None: pods} if load is None else {seed: drawn(pods, cluster.capacity_milli, seed, load) for seed in seeds}


def _stays(
    pods: Path, cluster: Cluster, load: float | None, seeds: Sequence[int]
) -> Mapping[int | None, Sequence[Stay]]:
    known = read_stays(pods)
    if load is None:
        return {None: known}
    return {seed: drawn_stays(known, cluster.capacity_milli, seed, load) for seed in seeds}


def _runs(policies: Sequence[str], cluster: Cluster, mix: Mix, arrivals: _Coming) -> Iterator[Run]:
    out = Console(stderr=True)
    total = len(policies) * sum(len(coming) for coming in arrivals.values())
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as progress:
        task = progress.add_task("", total=total)
        for name in policies:
            for seed, coming in arrivals.items():
                progress.update(task, description=name if seed is None else f"{name}, seed {seed}")
                yield _run(name, seed, cluster.copy(), mix, coming, progress, task)


def _run(
    name: str,
    seed: int | None,
    state: Cluster,
    mix: Mix,
    coming: Sequence[Request] | Sequence[Stay],
    progress: Progress,
    task: Any,
) -> Run:
    policy = POLICIES[name](state, mix)
    began = time.process_time()
    outcome = _replayed(coming, state, policy, lambda some: progress.advance(task, some))
    return Run(name, seed, outcome, outcome.decisions / max(time.process_time() - began, 1e-9))


def _replayed(
    coming: Sequence[Request] | Sequence[Stay], state: Cluster, policy: Policy, advance: Callable[[int], None]
) -> Outcome:
    requests = [one for one in coming if isinstance(one, Request)]
    if requests:
        return replay(_advancing(requests, advance), state, policy)
    return replay_stays(_advancing([one for one in coming if isinstance(one, Stay)], advance), state, policy)


def _advancing(coming: Sequence[_One], advance: Callable[[int], None]) -> Iterator[_One]:
    """The same, with the bar moved on every 256th: a move of the bar takes as long as a placement."""
    for n, one in enumerate(coming, start=1):
        yield one
        if n % 256 == 0 or n == len(coming):
            advance(n % 256 or 256)


def _by_policy(runs: Sequence[Run]) -> list[list[Run]]:
    """Most allocated GPU first."""
    names = dict.fromkeys(run.policy for run in runs)
    groups = [[run for run in runs if run.policy == name] for name in names]
    return sorted(groups, key=lambda group: -fmean(run.outcome.allocated_ratio for run in group))


def _record(runs: Sequence[Run]) -> dict[str, Any]:
    """Means over the runs of one policy."""
    return {
        "policy": runs[0].policy,
        "runs": len(runs),
        "gpu_allocated_ratio": round(fmean(run.outcome.allocated_ratio for run in runs), 6),
        "lowest_gpu_allocated_ratio": round(min(run.outcome.allocated_ratio for run in runs), 6),
        "gpu_asked_ratio": _asked(runs),
        "arrived_pods": round(fmean(run.outcome.decisions for run in runs), 1),
        "failed_pods": round(fmean(len(run.outcome.failures) for run in runs), 1),
        "decisions_per_s": round(fmean(run.decisions_per_s for run in runs)),
    }


def _asked(runs: Sequence[Run]) -> float | None:
    asked = [run.outcome.asked_ratio for run in runs if run.outcome.asked_ratio is not None]
    return round(fmean(asked), 6) if asked else None


def _whole(cluster: Cluster, pods: Sequence[Request], runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "nodes": len(cluster),
        "gpus": cluster.capacity_milli // 1000,
        "pods_in_trace": len(pods),
        "policies": [
            _record(group)
            | {
                "each": [
                    {
                        "seed": run.seed,
                        "gpu_allocated_ratio": round(run.outcome.allocated_ratio, 6),
                        "failed_by_size": dict(run.outcome.failed_by_size()),
                    }
                    for run in group
                ]
            }
            for group in _by_policy(runs)
        ],
    }


def _table(runs: Sequence[Run]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("POLICY", no_wrap=True)
    for title in ("GPU ALLOCATED", "LOWEST RUN", "PODS", "FAILED", "PER SECOND"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("FAILED MOST, PER RUN", style="dim")
    if _asked(runs) is not None:
        table.title = f"Means over time; {_asked(runs):.2%} of the GPUs were asked for"
        table.title_justify = "left"
    for group in _by_policy(runs):
        record = _record(group)
        cells = [f"{record[name]:.2%}" for name in ("gpu_allocated_ratio", "lowest_gpu_allocated_ratio")]
        cells += [f"{record[name]:,.0f}" for name in ("arrived_pods", "failed_pods", "decisions_per_s")]
        table.add_row(record["policy"], *cells, _failed_most(group))
    return table


def _failed_most(runs: Sequence[Run]) -> str:
    counted: dict[str, int] = {}
    for run in runs:
        for size, count in run.outcome.failed_by_size().items():
            counted[size] = counted.get(size, 0) + count
    most = sorted(counted, key=lambda size: -counted[size])[:_SHOWN_SIZES]
    return ", ".join(f"{counted[size] / len(runs):.3g} of {size}" for size in most)
