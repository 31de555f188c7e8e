"""One question to the Kubernetes API with the account of the pod: GET, over TLS, bounded in time and size.

By the standard library alone: a client of Kubernetes would take more memory than the whole collector may.
"""

from __future__ import annotations

import http.client
import re
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec

from collector.source import SourceError

MAX_BYTES = 4 << 20
"""A node with 50 images and 150 labels is 40 kB; etcd keeps no object above 1.5 MiB."""

_CHUNK = 1 << 16
_MOST_WORDS = 200
_MENDS = {
    401: "is the token in {account} of this cluster, and not expired?",
    403: "grant get on nodes to the account of the collector (deploy/kubernetes/base/collector-rights.yaml)",
    404: "set collector.node to the node's name in Kubernetes, spec.nodeName of the collector's pod",
}


class _Status(msgspec.Struct):
    """What the API says when it refuses."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class NodeApi:
    """account: folder with `token` and `ca.crt`, read at each ask."""

    url: str
    account: str
    timeout_s: float

    def get(self, node: str) -> bytes:
        """The node as JSON. Raises SourceError with the status, what the API said, and the mend."""
        # resourceVersion=0: from the API server's memory, which may be seconds old, and not from etcd.
        path = f"/api/v1/nodes/{quote(node, safe='')}?resourceVersion=0"
        try:
            status, reason, body = self._ask(path)
        except (OSError, ValueError, http.client.HTTPException) as error:  # SSLError and timeouts are OSErrors
            raise SourceError(
                f"{self.url}: {str(error) or type(error).__name__}; can this pod reach the API server?"
            ) from error
        if status != http.client.OK:
            mend = _MENDS.get(status, "it is asked again").format(account=self.account)
            raise SourceError(f"{self.url}: {status} {reason}: {_said(body)}; {mend}")
        return body

    def _ask(self, path: str) -> tuple[int, str, bytes]:
        """Status, its name, and the body."""
        ends = time.monotonic() + self.timeout_s
        token, tls = self._credentials()
        at = urlsplit(self.url)
        connection = http.client.HTTPSConnection(at.hostname or "", at.port, timeout=self.timeout_s, context=tls)
        try:
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": "sizewise"}
            connection.request("GET", at.path.rstrip("/") + path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.reason, self._body(answer, ends)
        finally:
            connection.close()

    def _credentials(self) -> tuple[str, ssl.SSLContext]:
        account = Path(self.account)
        try:
            return _token(account / "token"), ssl.create_default_context(cafile=account / "ca.crt")
        except OSError as error:
            raise SourceError(
                f"{account}: {error}; mount the token of a service account there (automountServiceAccountToken: true),"
                " or ask nobody with collector.kubernetes.url empty"
            ) from error

    def _body(self, answer: http.client.HTTPResponse, ends: float) -> bytes:
        """Read by pieces: the time-out of a socket starts anew with each byte of a server that drips."""
        found = bytearray()
        while chunk := answer.read1(_CHUNK):
            found += chunk
            if len(found) > MAX_BYTES:
                raise SourceError(f"{self.url} answers over {MAX_BYTES} bytes; is it the Kubernetes API?")
            if time.monotonic() > ends:
                raise TimeoutError(f"no whole answer in {self.timeout_s:g} s")
        return bytes(found)


def _token(file: Path) -> str:
    """Looked at here, as http.client would tell a token that fits no header in its error. Raises OSError, SourceError."""
    token = file.read_bytes().strip()
    if not re.fullmatch(rb"[\x21-\x7e]+", token):
        raise SourceError(f"{file} holds no token: it must be one word")
    return token.decode("ascii")


def _said(body: bytes) -> str:
    """The API's own words, or the begin of whatever a proxy says instead."""
    try:
        text = msgspec.json.decode(body, type=_Status).message
    except msgspec.MsgspecError:
        text = body[:_MOST_WORDS].decode("utf-8", "replace")
    return " ".join(text.split())[:_MOST_WORDS]
