"""Where this machine's log and outbox lie when nothing else is said, so that every command finds what `up` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def state_folder(environ: Mapping[str, str], chosen: Path | None = None) -> Path:
    """--state, SIZEWISE_STATE, or `sizewise` in the user's state folder (XDG_STATE_HOME, else ~/.local/state)."""
    if chosen or environ.get("SIZEWISE_STATE"):
        return (chosen or Path(environ["SIZEWISE_STATE"])).expanduser().absolute()
    base = environ.get("XDG_STATE_HOME", "")
    # the XDG specification says that a relative path there is to be ignored
    root = Path(base) if base.startswith("/") else Path("~/.local/state").expanduser()
    return root / "sizewise"


def state_defaults(folder: Path) -> dict[str, object]:
    """The settings that name files, inside the state folder."""
    return {
        "log.location": f"sqlite:{folder / 'sizewise.db'}",
        "collector.outbox": str(folder / "outbox.db"),
        "api.fingerprint.model": str(folder / "fingerprint"),
    }
