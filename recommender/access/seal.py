"""Texts that only servers can read: a cursor that a tenant carries holds offsets of the log, which count what others did."""

from __future__ import annotations

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12
_BLOCK = 256
"""Contents are padded to whole blocks: their length would tell how many digits an offset has."""


class SealError(ValueError):
    """A text that this key did not seal, or not for this purpose."""


class Sealer:
    """AES-256-GCM, with a nonce of its own for each text: two of the same contents are not alike."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, contents: bytes, purpose: str) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        padded = contents + b"\n" + b" " * (-(len(contents) + 1) % _BLOCK)
        return (
            base64.urlsafe_b64encode(nonce + self._aead.encrypt(nonce, padded, purpose.encode())).decode().rstrip("=")
        )

    def open(self, text: str, purpose: str) -> bytes:
        """Raises SealError."""
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            opened = self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise SealError("it was not made here for who shows it") from error
        return opened.rstrip(b" ").removesuffix(b"\n")
