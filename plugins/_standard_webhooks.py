"""Signatures of the Standard Webhooks scheme, version 1 (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PREFIX = "whsec_"
_BETWEEN = re.compile(r"[\s,]+")
_SHORTEST, _LONGEST = 24, 64  # bytes, as the scheme asks for


def parse_keys(secrets: str) -> tuple[bytes, ...]:
    """Return the keys of one or more secrets `whsec_…`, apart by blanks or commas. Raises ValueError."""
    keys = tuple(_key(secret) for secret in _BETWEEN.split(secrets) if secret)
    if not keys:
        raise ValueError("holds no secret; write whsec_ and base64 of 24 to 64 random bytes")
    return keys


def signature(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: one signature a key, so that a receiver may know either."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(key, signed, hashlib.sha256) for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _key(secret: str) -> bytes:
    wanted = ValueError("not a secret of Standard Webhooks; write whsec_ and base64 of 24 to 64 random bytes")
    if not secret.startswith(_PREFIX):
        raise wanted
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise wanted from None
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise wanted
    return key
