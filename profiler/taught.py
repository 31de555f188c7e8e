"""The taught model that a profiler may use: two files, NAME.ubj and NAME.json."""

from __future__ import annotations

from pathlib import Path

from profiler.judge import Infer


def read_model(path: str) -> Infer | None:
    """The model at a path (with or without `.ubj`); None for an empty path. XGBoost is loaded only with a model.

    Raises models.bottleneck_model.model.ModelError when the files are not there or do not belong together."""
    if not path:
        return None
    try:
        from models.bottleneck_model.model import ModelError, load  # XGBoost takes 0.5 s and 60 MB
    except ModuleNotFoundError as error:
        raise ValueError(
            f"profiler.bottleneck_model is {path!r} and {error.name} is not installed: "
            "pip install 'sizewise[learn]', or leave the setting empty"
        ) from error

    base = Path(path).expanduser().with_suffix("")
    try:
        body, card = base.with_suffix(".ubj").read_bytes(), base.with_suffix(".json").read_bytes()
    except OSError as error:
        raise ModelError(
            f"profiler.bottleneck_model is {path!r}: {error.strerror} ({error.filename}); "
            "`sizewise train bottleneck` writes such files, and an empty value does without"
        ) from error
    return load(body, card).infer
