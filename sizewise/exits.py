"""Exit codes, and errors as one line with the mend."""

from __future__ import annotations

import click

OK = 0
FAILED = 1
USAGE = 2
UNAVAILABLE = 3
NO_DATA = 4
STAYS = 5
INTERRUPTED = 130

MEANINGS: dict[int, str] = {
    OK: "done; a service that was told to stop has saved its work",
    FAILED: "failed; the message says what and the mend",
    USAGE: "the command line or a setting is wrong",
    UNAVAILABLE: "the log or the API cannot be reached; trying again later may succeed",
    NO_DATA: "there was no data to show",
    STAYS: "what was trained is not proven as good as the model in use, which stays",
    INTERRUPTED: "interrupted with Ctrl-C before it was done",
}


class Exit(click.ClickException):
    """Ends the command with one line on standard error and a code of MEANINGS."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: object = None) -> None:
        click.echo(f"sizewise: {self.format_message()}", err=True)
