"""Every route of the OpenAPI is asked what nobody expected: never a 5xx, and never an answer that its document does not
describe. Requests are both those that the document allows and those that it does not."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from models.metrics import NullMeter
from recommender.api.app import create_app
from recommender.api.settings import ApiSettings, FeedSettings
from recommender.view import View
from tests.recommender.api.test_api import known_snapshot

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 40
"""A route. All routes together take half a minute."""


def application() -> Any:
    """A small fleet that is known; waiting for news ends at once."""
    view = View()
    view.snapshot, view.missing = known_snapshot(), {}
    api = ApiSettings(allowed_hosts=("testserver",), feed=FeedSettings(longest_wait_s=0.01))
    return create_app(view, api, NullMeter(), lambda: 0.0, lambda: (b"up 1\n", "text/plain"))


SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", application())


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_no_answer_is_undocumented(case: schemathesis.Case) -> None:
    """Status, media type, headers and body are those of the document."""
    case.call_and_validate(checks=CHECKS)
