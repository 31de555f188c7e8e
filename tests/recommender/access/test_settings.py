"""Where the API and metrics may be listened for, and by whom."""

from __future__ import annotations

from typing import Any

import pytest

from recommender.api.settings import ApiSettings, ApiTlsSettings
from sizewise.http import who_may_ask
from sizewise.process_settings import ProcessSettings

TLS = ApiTlsSettings("c.pem", "k.pem")
FRANK = {"insecure_anyone_may_read_everything": True}


@pytest.mark.parametrize(
    ("kept", "guarded", "checks_host", "said"),
    [
        ({}, False, True, "anyone on this machine; no token is needed"),
        ({"host": "::1"}, False, True, "anyone on this machine"),
        ({"ask_who": True}, True, False, "who shows a token"),
        ({"host": "0.0.0.0", "tls": TLS}, True, False, "who shows a token"),
        ({"tls": TLS}, False, True, "anyone on this machine"),
        ({"host": "10.1.2.3"} | FRANK, False, False, "ANYONE who reaches this address, and sees everything"),
    ],
)
def test_who_is_asked_where(kept: dict[str, Any], guarded: bool, checks_host: bool, said: str) -> None:
    """Loopback: nobody. Elsewhere: everybody, and never without TLS, but where a flag says so in so many words."""
    made = ApiSettings(**kept)
    assert (made.guarded, made.checks_host) == (guarded, checks_host)
    assert said in who_may_ask(made)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "sizewise.example", ""])
def test_elsewhere_without_tls_is_refused(host: str) -> None:
    """Asking for tokens alone does not do: they would be read on the way."""
    for asked in (False, True):
        with pytest.raises(ValueError, match="insecure-anyone-may-read-everything"):
            ApiSettings(host=host, ask_who=asked)


def test_halves_and_contradictions_are_refused() -> None:
    with pytest.raises(ValueError, match="give both, or neither"):
        ApiTlsSettings("c.pem")
    with pytest.raises(ValueError, match=r"no tls\.certificate to serve with"):
        ApiTlsSettings(client_ca="ca.pem")
    with pytest.raises(ValueError, match="contradict each other"):
        ApiSettings(ask_who=True, insecure_anyone_may_read_everything=True)


def test_the_metrics_port_of_a_role_follows_the_same_rule() -> None:
    """Loopback, or client certificates, or the frank setting; TLS alone hides the counters but asks nobody."""
    ProcessSettings(metrics_port=9100)
    ProcessSettings(metrics_host="10.0.0.1")  # nothing listens
    ProcessSettings("10.0.0.1", 9100, insecure_anyone_may_read_metrics=True)
    pair = {"metrics_tls_certificate": "c.pem", "metrics_tls_key": "k.pem"}
    ProcessSettings("10.0.0.1", 9100, metrics_tls_client_ca="ca.pem", **pair)  # type: ignore[arg-type]
    for kept in ({}, pair):
        with pytest.raises(ValueError, match="insecure_anyone_may_read_metrics"):
            ProcessSettings("10.0.0.1", 9100, **kept)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="give both, or neither"):
        ProcessSettings(metrics_tls_key="k.pem")
    with pytest.raises(ValueError, match="needs metrics_tls_certificate"):
        ProcessSettings(metrics_tls_client_ca="ca.pem")
