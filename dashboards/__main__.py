"""`python -m dashboards [--check]`: writes dashboards/rendered/*.json, or says which are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

from dashboards.pages import PAGES

FOLDER = Path(__file__).parent / "rendered"


def texts() -> dict[str, str]:
    """File name to the JSON that belongs in it."""
    return {f"{page.uid}.json": page.rendered() for page in PAGES}


def out_of_date(folder: Path) -> list[str]:
    """Files that differ from what the sources say, are missing, or have no source."""
    wanted = texts()
    there = {file.name: file.read_text() for file in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def main() -> None:
    if "--check" in sys.argv[1:]:
        if stale := out_of_date(FOLDER):
            raise SystemExit(f"out of date: {', '.join(stale)}; run `python -m dashboards`")
        return
    FOLDER.mkdir(exist_ok=True)
    for name in out_of_date(FOLDER):
        (FOLDER / name).unlink(missing_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
