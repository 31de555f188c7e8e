"""The slice-speed model that comes with sizewise: package data, read as code is. `python -m bench.ship_speed` made it."""

from __future__ import annotations

from importlib.resources import files

from models.speed.artifact import SpeedModel, load

_NAME = "a100-nvml"


def carried_model() -> SpeedModel:
    """Trained on MISO's jobs on an A100-40 with NVML utilisation; its card says for what it is good."""
    folder = files("models.speed") / "carried_artifacts"
    return load((folder / f"{_NAME}.npz").read_bytes(), (folder / f"{_NAME}.json").read_bytes())
