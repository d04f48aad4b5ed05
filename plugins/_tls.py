"""The rules for TLS, the same for every far side."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import BaseTransport


def strict_context() -> ssl.SSLContext:
    """Return the rules: modern, with a certificate that names the host and that this machine trusts.

    Whom it trusts, OpenSSL decides: the system's store, or `SSL_CERT_FILE`. Reads files.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def secured_by(transport: BaseTransport) -> str:
    """Say how a connection is secured: "TLSv1.3, certificate valid until 2027-03-01", or "no TLS"."""
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if tls is None:
        return "no TLS"
    ends = (tls.getpeercert() or {}).get("notAfter")
    if not isinstance(ends, str):
        return str(tls.version())
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
    return f"{tls.version()}, certificate valid until {until:%Y-%m-%d}"
