"""One consumer of a group of a Redis stream."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import time
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, InvalidResponse, RedisError, ResponseError

from feedback_app import Batch, Received, Source, SourceDown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from feedback_app.plugins.redis_stream import Settings

log = logging.getLogger(__name__)

_WAIT = 2000  # milliseconds that one read waits
_SILENCE = 15.0  # seconds without an answer after which the connection is given up
_INSIST = 0.1  # seconds after which a command that was cancelled and goes on is cancelled again
_OLD = 86_400_000  # milliseconds without a word after which a consumer that has nothing in hand is forgotten

# Its id and its fields; none: trimmed away while it was pending. Redis 6 does not even name one that it hands over.
Entry = tuple[bytes | None, dict[bytes, bytes] | None]

# Between a look and a deletion by two commands, a read that was broken off could still be served, and what it got be
# pending nowhere: lost to the group.
_SIGN_OFF = """
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
    return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
"""


class RedisGroup(Source):
    """Reads as a consumer with a random name, so that nobody else ever has it, and takes over what dead ones had."""

    def __init__(self, settings: Settings, password: str | None) -> None:
        self.name = settings.name
        self.map, self.set = settings.map, settings.set
        self._settings = settings
        self._password = password
        self._consumer = f"feedback-{secrets.token_hex(8)}"
        self._client: Redis | None = None
        self._last = ""  # the id of the newest entry that was seen
        self._claimed_at = 0.0
        self._claim_from = b"0-0"
        self._mine = True  # entries may be pending that this consumer read before it was opened anew

    async def check(self) -> str:
        """Log in and look for the stream."""
        client = self._new_client()
        try:
            there = await self._do(client.exists(self._settings.stream))
        finally:
            await client.aclose()
        return f"the server answers, the stream {self._settings.stream} is {'there' if there else 'not there yet'}"

    async def open(self, position: str | None) -> None:
        """Connect; make the group where it is not there; see that the stream has not gone back."""
        self._last = position or ""
        self._claimed_at, self._claim_from, self._mine = 0.0, b"0-0", True
        self._client = self._new_client()
        await self._do(self._redis.ping())
        await self._make_group()
        await self._see_whether_back()
        await self._forget_the_old()

    async def receive(self, limit: int) -> Batch:
        """Return first what a dead consumer had, then what is new."""
        try:
            entries = await self._own(limit) or await self._claimed(limit) or await self._new(limit)
        except _NoGroupError:
            await self._make_group()
            await self._see_whether_back()
            return Batch()
        received = [self._received(entry_id, fields) for entry_id, fields in entries if entry_id and fields]
        if gone := [entry_id for entry_id, fields in entries if not fields]:
            self._say_trimmed(len(gone))
            self._mine = self._mine or None in gone  # they have a name when this consumer's own are read
            if named := [entry_id for entry_id in gone if entry_id]:
                await self._ack(named)
        if received:
            self._last = max(self._last, received[-1].id, key=_order)
        return Batch(received=received, position=self._last if received else None)

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """Take them off the group's list."""
        await self._ack([one.handle for one in received])

    async def lag(self) -> int | None:
        """Return how many were not delivered or not acknowledged; None where the server cannot tell."""
        for group in await self._do(self._redis.xinfo_groups(self._settings.stream)):
            if group["name"] == self._settings.group.encode():
                waiting = group.get("lag")
                return None if waiting is None else int(waiting) + int(group["pending"])
        return None

    async def close(self) -> None:
        """Sign off where nothing is pending, and disconnect."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            await self._sign_off(client, self._consumer)
        finally:
            await client.aclose()

    def _new_client(self) -> Redis:
        return Redis.from_url(
            self._settings.url,
            **self._login(),
            socket_timeout=_SILENCE,
            socket_connect_timeout=_SILENCE,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )

    def _login(self) -> dict[str, Any]:
        login = {"username": self._settings.username, "password": self._password}
        return {key: value for key, value in login.items() if value is not None}

    def _group(self) -> tuple[str, str]:
        return self._settings.stream, self._settings.group

    async def _own(self, limit: int) -> list[Entry]:
        """Return what this consumer read and did not acknowledge before it was opened anew."""
        if not self._mine:
            return []
        found = await self._read(limit, "0")
        self._mine = bool(found)
        return found

    async def _claimed(self, limit: int) -> list[Entry]:
        """Take over what nobody acknowledged for a while; a look now and then is enough."""
        idle = self._settings.claim_after
        if time.monotonic() - self._claimed_at < idle / 3 and self._claim_from == b"0-0":
            return []
        self._claimed_at = time.monotonic()
        answer = await self._do(
            self._redis.xautoclaim(
                *self._group(), self._consumer, int(idle * 1000), start_id=self._claim_from, count=limit
            )
        )
        self._claim_from = answer[0]
        if len(answer) > 2 and answer[2]:  # noqa: PLR2004 - since Redis 7: what was trimmed
            self._say_trimmed(len(answer[2]))
        found: list[Entry] = answer[1]
        return found

    async def _new(self, limit: int) -> list[Entry]:
        return await self._read(limit, ">")

    async def _read(self, limit: int, start: str) -> list[Entry]:
        stream, group = self._group()
        reading = self._redis.xreadgroup(group, self._consumer, {stream: start}, count=limit, block=_WAIT)
        answer = await self._do(reading)
        return answer[0][1] if answer else []

    async def _ack(self, ids: Sequence[Any]) -> None:
        await self._do(self._redis.xack(*self._group(), *ids))

    async def _make_group(self) -> None:
        """Make the group from the very beginning of the stream, which is made too where it is not there."""
        try:
            await self._do(self._redis.xgroup_create(*self._group(), id="0", mkstream=True))
        except _GroupThereError:
            return
        if self._last:
            log.warning("the group was gone, made anew from the beginning", extra={"source": self.name})

    async def _see_whether_back(self) -> None:
        """Say that entries may be lost where the stream's last id is smaller than one that was seen."""
        facts = await self._do(self._redis.xinfo_stream(self._settings.stream))
        last = facts["last-generated-id"].decode()
        if self._last and _order(last) < _order(self._last):
            said = "stream id went back from %s to %s, entries between may be lost"
            log.error(said, self._last, last, extra={"source": self.name})
            self._last = last

    async def _forget_the_old(self) -> None:
        """Delete the consumers of daemons that died long ago and have nothing in hand."""
        for one in await self._do(self._redis.xinfo_consumers(*self._group())):
            if not one["pending"] and one["idle"] > _OLD:
                await self._sign_off(self._redis, one["name"])

    async def _sign_off(self, client: Redis, consumer: str | bytes) -> None:
        """Delete a consumer that has nothing in hand."""
        with contextlib.suppress(
            RedisError, OSError
        ):  # it is gone, was never there, or scripts are not allowed
            await client.eval(_SIGN_OFF, 1, *self._group(), consumer)

    def _say_trimmed(self, count: int) -> None:
        said = "entries were trimmed before they were taken"
        log.warning(said, extra={"source": self.name, "count": count})

    def _received(self, entry_id: bytes, fields: dict[bytes, bytes]) -> Received:
        wanted = self._settings.payload
        if wanted != "*" and (payload := fields.get(wanted.encode())) is not None:
            return Received(id=entry_id.decode(), payload=payload, handle=entry_id)
        names = ", ".join(repr(_text(name)) for name in list(fields)[:20])
        return Received(
            id=entry_id.decode(),
            payload=json.dumps({_text(name): _text(value) for name, value in fields.items()}).encode(),
            handle=entry_id,
            reason="" if wanted == "*" else f"the entry has no field {wanted!r}; it has {names}",
        )

    @property
    def _redis(self) -> Redis:
        if self._client is None:
            raise SourceDown("it is not open")
        return self._client

    async def _do(self, command: Awaitable[Any]) -> Any:
        """Run a command. Raises SourceDown, and what the caller can mend."""
        try:
            return await _cancellable(command)
        except AuthenticationError as error:
            raise SourceDown("the server refuses the login: look at username and password") from error
        except ResponseError as error:
            said = str(error)
            if said.startswith("NOGROUP") or "no such key" in said:
                raise _NoGroupError(said) from error
            if said.startswith("BUSYGROUP"):
                raise _GroupThereError(said) from error
            if said.startswith("WRONGTYPE"):
                raise SourceDown(f"the key {self._settings.stream} is no stream") from error
            raise SourceDown(f"the server refuses: {said[:200]}") from error
        except InvalidResponse as error:  # it quotes what came, a piece of a rating perhaps
            raise SourceDown("the server's answer is none of a Redis") from error
        except (RedisError, OSError) as error:
            raise SourceDown(f"the server cannot be reached: {error}") from error


class _NoGroupError(SourceDown):
    """The group or the stream is not there any more."""


class _GroupThereError(SourceDown):
    """The group is there already."""


async def _cancellable(command: Awaitable[Any]) -> Any:
    """Await a command of the client, whose `asyncio.wait_for` swallows a cancellation now and then (Python 3.11)."""
    task = asyncio.ensure_future(command)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_INSIST)
        if not task.cancelled():
            task.exception()  # else asyncio complains that nobody asked
        raise
    return task.result()


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return (int(milliseconds), int(number or 0)) if milliseconds.isdecimal() else (0, 0)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
