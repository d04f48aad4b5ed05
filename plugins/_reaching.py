"""Whether a far side can be reached: name, connection, TLS, and nothing that it would take for a message."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from feedback_app import ChannelDown
from feedback_app.plugins._settings_checks import is_loopback
from feedback_app.plugins._tls import secured_by, strict_context

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_LIMIT = 10.0  # seconds for the look-up, the connection and its TLS
_PORTS: Mapping[str, int] = {"http": 80, "https": 443}
_NUMBER = re.compile(r"\[Errno (-?\d+)\]")  # in what asyncio says of several addresses together


async def reach_web(url: str) -> str:
    """Connect to the host of a web address, shake hands for TLS, and hang up; say what was reached.

    Where the environment names a proxy, that is what can be reached without sending. Raises ChannelDown.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = None if is_loopback(host) or proxy_bypass(host) else getproxies().get(parts.scheme)
    if proxy:
        far = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        return f"the proxy {await _connect(far.hostname or '', far.port or _PORTS['http'])}"
    tls = await asyncio.to_thread(strict_context) if parts.scheme == "https" else None
    return await _connect(host, parts.port or _PORTS[parts.scheme], tls)


async def _connect(host: str, port: int, tls: ssl.SSLContext | None = None) -> str:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        async with asyncio.timeout(CONNECT_LIMIT):
            _, writer = await asyncio.open_connection(host, port, ssl=tls)
    except (OSError, ValueError) as error:
        raise ChannelDown(why_no_connection(where, error)) from None
    said = f"{where} answers, {secured_by(writer.transport)}"
    writer.transport.abort()
    return said


def why_no_connection(where: str, error: Exception) -> str:
    """Say why no connection came about."""
    if isinstance(error, ssl.SSLError):
        return f"no trusted TLS with {where}: {getattr(error, 'verify_message', None) or error.reason}"
    if isinstance(error, TimeoutError):
        return f"{where} did not answer in time"
    number = getattr(error, "errno", None) or next(map(int, _NUMBER.findall(str(error))), 0)
    # asyncio repeats the address in strerror; only a failed look-up, with its negative number, needs it.
    problem = os.strerror(number) if number > 0 else getattr(error, "strerror", None)
    return f"cannot connect to {where}: {problem or type(error).__name__}"
