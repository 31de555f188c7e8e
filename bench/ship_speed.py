"""`python -m bench.ship_speed --data DIR OUT`: write the slice-speed model that sizewise carries, from the MISO jobs.

The errors in its card are those of `python -m bench mig` in the same run: each family left out once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from bench import mig
from bench.miso import read_jobs, training_rows
from bench.report import require_data
from models.speed.artifact import SpeedCard, dump
from models.speed.train import learn

_CARD = SpeedCard(
    name="a100-nvml",
    version="1",
    form="",
    trained_ms=0,
    telemetry_source="nvml",
    gpu="A100-PCIe-40",
    jobs=0,
    pairs=0,
    data="MISO (SoCC 22), github.com/boringlee24/socc22-miso at 39b1ee69d73c",
    licence="MIT (data: MIT, Copyright (c) 2022 Baolin Li)",
    limits="Training jobs of 8 families on one GPU model. Relative speeds carry over to other GPUs only roughly: "
    "measure one slice there. Not for DCGM engine activity, not for inference services (measure points instead).",
    errors={},
)


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the data sets.")
@click.option("--now-ms", type=int, required=True, help="Time that the card shall bear, milliseconds since 1970.")
@click.argument("out", type=click.Path(path_type=Path))
def main(data: Path, now_ms: int, out: Path) -> None:
    """Train on all jobs and write OUT.npz and OUT.json."""
    jobs = read_jobs(require_data(data, "miso-mig"))
    rows = training_rows(jobs, mig.SHARES)
    errors = {name.removeprefix("mig_mae_"): value for name, value in mig.run(data).figures.items() if "_mae_" in name}
    card = replace(_CARD, trained_ms=now_ms, errors=errors)
    body, text = dump(learn(*rows, card))
    out.with_suffix(".npz").write_bytes(body)
    out.with_suffix(".json").write_bytes(text)
    click.echo(f"{out}.npz: {len(body)} bytes")


if __name__ == "__main__":
    main()
