"""`python -m bench NAME [--data DIR] [--json FILE]`."""

from __future__ import annotations

import importlib
import keyword
from pathlib import Path

import click

from bench.report import MissingDataError, print_report, write_json, write_pictures

BENCHES: dict[str, str] = {
    "admission-fuzz": "a million made-up reviews of the admission webhook, judged by an oracle of its own",
    "apiserver": "a pod's creation through a real kube-apiserver: what the webhook adds, beside VPA's admission controller",
    "collector": "CPU and memory of the collector at 1 Hz on 200 containers, against prometheus-node-exporter",
    "decide": "POST /v1/recommend over 1,500 candidate nodes through the real server: time of an answer",
    "import": "14 days of 1,000 workloads from a real Prometheus to a full report, against KRR's queries",
    "ingest": "the profiler: samples per second on one core and through Kafka, memory per workload, against VPA",
    "fingerprint": "which workload is this, on GPUs never seen: accuracy, unknown ones, cold start, matching speed",
    "mig": "MIG size from whole-GPU telemetry: slice speed and the smallest slice within a slowdown, on MISO",
    "exposition": "the series of a fleet on /metrics: time to make the text of 2,000 workloads, of 2,000 and of 100,000",
    "pack": "inference services on MIG: GPUs used for rate and latency targets, against ParvaGPU",
    "place": "placement on the openb cluster: GPU allocation, against Random, BestFit and FGD",
    "place-api": "POST /v1/place over 1,500 candidate nodes, POST /v1/pack over 800 GPUs: time of an answer",
    "remote-write": "samples received from pushes on one core, from HTTP to rows in the log, against Prometheus",
    "sizing": "CPU and memory requests replayed on Bitbrains: slack, OOM-days, churn, against VPA, KRR, Autopilot, Kruize",
    "recommend": "100,000 workloads re-recommended on one core, against the real VPA recommender",
    "webhook": "the admission webhook through TLS at 500/s and 3,000/s with 100,000 workloads, against VPA's own",
    "roofline": "the roofline class against gpuFLOPBench, Orion and the power limits of Zeus",
    "bottleneck": "GPU class with and without profiling counters, on H100 windows",
}
"""Name: what it measures. `module_of(NAME)` has `run(data: Path | None) -> Report`."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", required=False)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data sets, for benches that need one.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write figures and rows to this file.")
def main(name: str | None, data: Path | None, json_file: Path | None) -> None:
    """Measure sizewise against its peers. Without NAME, list what can be measured."""
    if name is None:
        for known, what in BENCHES.items():
            click.echo(f"  {known:<14}{what}")
        return
    if name not in BENCHES:
        raise click.UsageError(f"no bench {name!r}; known: {', '.join(BENCHES) or 'none'}")
    module = importlib.import_module(module_of(name))
    try:
        report = module.run(data)
    except MissingDataError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from error
    print_report(report)
    write_pictures(report, json_file.parent if json_file else Path("bench-out"))
    if json_file:
        write_json(report, json_file)


def module_of(name: str) -> str:
    """bench.NAME with dashes as underscores; one more underscore where NAME is a word of Python's own."""
    module = name.replace("-", "_")
    return f"bench.{module}_" if keyword.iskeyword(module) else f"bench.{module}"


if __name__ == "__main__":
    main()
