"""The rules for TLS, the same for every far side."""

from __future__ import annotations

import ssl


def strict_context() -> ssl.SSLContext:
    """Return the rules: modern, with a certificate that names the host and that this machine trusts.

    Whom it trusts, OpenSSL decides: the system's store, or `SSL_CERT_FILE`. Reads files.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
