"""Which form an answer takes: `?format=`, or the media type that the client accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query, Response  # noqa: TID251 - this package is fastapi's one home

from recommender.api.json_response import encoded
from recommender.decision import Decision, Format
from recommender.render import kubernetes
from recommender.render.dra import claim_template
from recommender.render.errors import NotRenderableError
from recommender.render.plain import plain
from recommender.render.slurm import sbatch_lines
from recommender.view_query import QueryError


@dataclass(frozen=True, slots=True)
class _Form:
    """media_type: what the answer says it is. accepts: what asks for it in an Accept header."""

    media_type: str
    accepts: tuple[str, ...]
    render: Callable[[Decision], Any]


_CLAIM = "application/vnd.sizewise.resourceclaimtemplate+json"
FORMS: Mapping[Format, _Form] = {
    "json": _Form("application/json", ("application/json", "*/*", "application/*"), plain),
    "kubernetes-patch": _Form(kubernetes.MEDIA_TYPE, (kubernetes.MEDIA_TYPE,), kubernetes.kubernetes_patch),
    "dra": _Form(_CLAIM, (_CLAIM,), claim_template),
    "slurm": _Form("text/plain; charset=utf-8", ("text/plain", "text/x-shellscript"), sbatch_lines),
}
HELP = "form of the answer; without it the first media type of `Accept` that names one: " + ", ".join(
    f"`{form.accepts[0]}` is {name}" for name, form in FORMS.items()
)

AskedForm = Annotated[Format | None, Query(description=HELP)]
"""A route's parameter `format`."""


def chosen(format: Format | None, accept: str) -> Format:
    """The form asked for; JSON where neither says one that there is."""
    if format is not None:
        return format
    accepted = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return next((name for kind in accepted for name, form in FORMS.items() if kind in form.accepts), "json")


def rendered(decisions: Sequence[Decision], format: Format, alone: bool) -> Response:
    """One decision by itself, several as a list; lines of Slurm one block after another.

    Raises QueryError where a decision has nothing that this form can tell.
    """
    form = FORMS[format]
    try:
        bodies = [form.render(decision) for decision in decisions]
    except NotRenderableError as error:
        raise QueryError("format", format, str(error)) from error
    content = (
        "\n".join(bodies).encode(errors="replace") if format == "slurm" else encoded(bodies[0] if alone else bodies)
    )
    return Response(content, media_type=form.media_type)


def documented_forms(model: Any, help: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` entry of 200, with every form."""
    objects: dict[str, Any] = {
        kind: {"schema": {"type": ["object", "array"]}} for kind in (kubernetes.MEDIA_TYPE, _CLAIM)
    }
    others = objects | {"text/plain": {"schema": {"type": "string"}}}
    return {200: {"model": model, "description": help, "content": others}}
