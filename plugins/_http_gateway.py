"""One request to a gateway over HTTP, one answer of limited size in limited time, and what it means.

What cannot be known is said: once a request has been written, an answer that does not come leaves it open.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from feedback_app import ChannelDown, OutcomeUnknown, PermanentFailure, TemporaryFailure
from feedback_app.concurrency import Once
from feedback_app.plugins._reaching import reach_web
from feedback_app.plugins._redaction import presentable
from feedback_app.plugins._settings_checks import is_loopback
from feedback_app.plugins._tls import strict_context

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_LIMIT = 10.0  # seconds, each for the connection and its TLS
ANSWER_LIMIT = 45.0  # seconds for the whole exchange, below the notifiers' own limit
LARGEST_ANSWER = 64 * 1024  # bytes; those of the known gateways have about one thousand

_SHORTEST_WAIT, _LONGEST_WAIT = 1.0, 3600.0  # seconds of a Retry-After that are obeyed

_REDIRECTS = (300, 301, 302, 303, 305, 307, 308)
_LOGIN = (401, 402, 403, 407)
_LOST = (404, 405)
_BUSY = (408, 409, 425, 429)
_CLIENT_ERRORS = range(400, 500)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    retry_after: str | None  # the header as it stands


class HttpGateway:
    """Sends requests to one host, a connection each; shows as that host, without login, path and query."""

    def __init__(
        self, url: str, answer_limit: float = ANSWER_LIMIT, auth: httpx2.BasicAuth | None = None
    ) -> None:
        host = urlsplit(url).hostname or ""
        self._url = url
        self._name = urlsplit(url).netloc.rpartition("@")[2]
        self._answer_limit = answer_limit
        self._client = Once(lambda: _make_client(host, auth))

    def __str__(self) -> str:
        return self._name

    async def close(self) -> None:
        """Close all connections."""
        if client := self._client.peek():
            await client.aclose()

    async def reach(self) -> str:
        """Look the host up, connect, shake hands for TLS and hang up; say what was reached. Raises ChannelDown."""
        return await reach_web(self._url)

    async def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Send one request, once, and return the answer.

        Raises ChannelDown when no connection came about, so nothing left, and OutcomeUnknown when the answer is
        late, cut off, too long or no HTTP.
        """
        try:
            async with asyncio.timeout(self._answer_limit):
                return await self._exchange(method, url, headers, body)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
            reason = presentable(str(error)) or "no connection in time"
            raise ChannelDown(f"cannot connect to {self}: {reason}") from None
        except (httpx2.RequestError, TimeoutError) as error:
            raise OutcomeUnknown(f"{self} gave no answer: {type(error).__name__}") from None

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        content = b""
        whole = httpx2.URL(url)
        # The library logs where it asks; path and query go past that, as some gateways want their keys there.
        async with self._client.get().stream(
            method,
            whole.copy_with(raw_path=b"/"),
            headers=dict(headers),
            content=body or None,
            extensions={"target": whole.raw_path},
        ) as response:
            async for piece in response.aiter_raw():
                content += piece
                if len(content) > LARGEST_ANSWER:
                    raise OutcomeUnknown(f"{self} answered with more than {LARGEST_ANSWER} bytes")
        return Answer(
            status=response.status_code, body=content, retry_after=response.headers.get("retry-after")
        )


def refusal(
    answer: Answer, said: str, now: float, *, piece: str = "", lost_is_down: bool = False
) -> ChannelDown | OutcomeUnknown | PermanentFailure | TemporaryFailure:
    """Return the error that an answer other than a success means, where its status is all there is to go by.

    One that says that the server failed, 5xx, or that says nothing known leaves it open whether the message was taken.
    `lost_is_down`: there is one address for all, and who is not found there never will be.
    `piece`, what of the body may be kept, stays in the ledger: why a channel is down is logged, and an answer may quote
    a part of the text by which it is not known as that.
    """
    whole = f"{said}: {piece}" if piece else said
    if answer.status in _BUSY:
        return TemporaryFailure(whole, retry_after(answer.retry_after, now))
    if answer.status in _LOGIN:
        return ChannelDown(f"{said}; check the secrets")
    if answer.status in _REDIRECTS:
        return ChannelDown(f"{said}; redirects are not followed, check url")
    if lost_is_down and answer.status in _LOST:
        return ChannelDown(f"{said}; check url")
    if answer.status in _CLIENT_ERRORS:
        return PermanentFailure(whole)
    return OutcomeUnknown(whole, retry_after(answer.retry_after, now))


def retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds to wait, within reason, or None when the header says nothing (RFC 9110, 10.2.3)."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, OverflowError):  # no date, or one of numbers that no calendar has
            return None
        seconds = date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now
    return min(_LONGEST_WAIT, max(_SHORTEST_WAIT, seconds))


def _make_client(host: str, auth: httpx2.BasicAuth | None) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        auth=auth,
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # no packed megabytes
            # One that is used again may be closed just then, and nobody knows what became of the message; or
            # it holds an answer too many, which would pass for the next message's.
            "Connection": "close",
        },
        follow_redirects=False,  # the customer's address and text go to nobody else
        timeout=httpx2.Timeout(None, connect=CONNECT_LIMIT),  # `ask` limits the rest as a whole
        trust_env=not is_loopback(host),  # no proxy on the way to this machine
        verify=strict_context(),
    )
