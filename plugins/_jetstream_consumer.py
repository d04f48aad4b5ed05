"""A durable pull consumer of a JetStream stream, shared by all daemons."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import APIError, NotFoundError

from feedback_app import Batch, Received, Source, SourceDown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

    from feedback_app.plugins.nats_jetstream import Settings

T = TypeVar("T")

_CONNECT = 10.0  # seconds that all servers together have
_WAIT = 2.0  # seconds that one fetch waits
_ANSWER = 2.0  # seconds that one question has: what falls into an election gets no answer and is asked again
_ELECTION = 15.0  # seconds that a cluster may be without a leader before the source counts as down
_AGAIN = 0.25  # seconds between two tries meanwhile
_IN_HAND = 5000  # messages that all daemons together may have in hand
_ID = "Nats-Msg-Id"
# Of a cluster of 2.9.10 nodes that were killed kept different streams, and it passed over messages (docs/sources.md).
_SOUND = (2, 10)

log = logging.getLogger(__name__)


class JetStreamConsumer(Source):
    """Fetches, and acknowledges each message after the commit. The client itself goes from server to server."""

    def __init__(self, settings: Settings, password: str | None) -> None:
        self.name = settings.name
        self.map, self.set = settings.map, settings.set
        self._settings = settings
        self._password = password
        self._client: Client | None = None
        self._asking: JetStreamContext | None = None
        self._pulling: JetStreamContext.PullSubscription | None = None
        self._last_error = "no answer"

    async def check(self) -> str:
        """Log in and look for the stream."""
        await self._reach()
        return f"a server answers, the stream {self._settings.stream} is there"

    async def open(self, position: str | None) -> None:
        """Connect, see that the stream is there, make the consumer where it is not."""
        del position  # the consumer remembers it
        context = await self._reach()
        await self._patiently(lambda: self._find_consumer(context))
        self._pulling = await context.pull_subscribe_bind(
            consumer=self._settings.durable, stream=self._settings.stream
        )

    async def receive(self, limit: int) -> Batch:
        """Return what waits; the election of a leader is waited for."""
        return Batch(received=await self._patiently(lambda: self._fetch(limit)))

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """Acknowledge each, waiting for no answer: what gets lost on the way comes again, as a duplicate."""
        with contextlib.suppress(NatsError):
            for one in received:
                message: Any = one.handle
                await message.ack()

    async def lag(self) -> int | None:
        """Return how many were not delivered or not acknowledged; None while there is no leader to ask."""
        assert self._asking is not None
        try:
            facts = await self._asking.consumer_info(self._settings.stream, self._settings.durable)
        except NatsError:
            return None
        return int(facts.num_pending or 0) + int(facts.num_ack_pending or 0)

    async def close(self) -> None:
        """Disconnect, once the last acknowledgements have left; what finds no way comes again."""
        client, self._client, self._asking, self._pulling = self._client, None, None, None
        if client is not None:
            with contextlib.suppress(NatsError, OSError):
                await client.close()

    async def _reach(self) -> JetStreamContext:
        self._client = client = Client()
        try:
            async with asyncio.timeout(_CONNECT):
                await self._connect(client)
        except (NatsError, OSError, TimeoutError) as error:
            raise SourceDown(f"no server can be reached: {self._last_error}") from error
        old = client.connected_server_version
        if (old.major, old.minor) < _SOUND and len(client.servers) > 1:
            version = f"{old.major}.{old.minor}.{old.patch}"
            log.warning("old cluster may lose messages", extra={"source": self.name, "version": version})
        self._asking = context = client.jetstream(timeout=_ANSWER)
        await self._patiently(lambda: self._find_stream(context))
        return context

    async def _connect(self, client: Client) -> None:
        settings = self._settings
        login: dict[str, Any] = {
            "user": settings.username,
            "password": self._password,
            "user_credentials": str(settings.credentials_file) if settings.credentials_file else None,
        }
        patience: dict[str, Any] = {
            "connect_timeout": 3,
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": _AGAIN,
        }
        await client.connect(
            list(settings.servers),
            name="feedback_app",
            error_cb=self._note_error,
            **patience,
            **{key: value for key, value in login.items() if value is not None},
        )

    async def _note_error(self, error: Exception) -> None:
        self._last_error = str(error) or type(error).__name__

    async def _find_stream(self, context: JetStreamContext) -> None:
        stream = self._settings.stream
        try:
            await context.stream_info(stream)
        except NotFoundError as error:
            raise SourceDown(f"there is no stream {stream}; make it: nats stream add {stream}") from error

    async def _find_consumer(self, context: JetStreamContext) -> None:
        stream, durable = self._settings.stream, self._settings.durable
        try:
            config = (await context.consumer_info(stream, durable)).config
        except NotFoundError:
            config = ConsumerConfig(
                durable_name=durable,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=self._settings.ack_wait,
                max_deliver=-1,  # what is no rating is kept as a dead letter; nothing is given up in silence
                max_ack_pending=_IN_HAND,
                filter_subject=self._settings.subject,
            )
            await context.add_consumer(stream, config)
        if config.ack_policy != AckPolicy.EXPLICIT or config.deliver_subject:
            raise SourceDown(f"the consumer {durable} must be one to pull from, with AckPolicy explicit")
        if self._settings.subject not in (None, config.filter_subject):
            raise SourceDown(
                f"the consumer {durable} is not for {self._settings.subject}: name another durable"
            )

    async def _fetch(self, limit: int) -> list[Received]:
        assert self._client is not None
        assert self._asking is not None
        assert self._pulling is not None
        try:
            messages = await self._pulling.fetch(limit, timeout=_WAIT)
        except NatsTimeoutError:
            if not self._client.is_connected:
                raise
            await self._find_consumer(self._asking)  # a fetch does not tell that it was deleted
            return []
        return [self._received(message) for message in messages]

    def _received(self, message: Msg) -> Received:
        own = (message.headers or {}).get(_ID)
        facts = message.metadata
        # A stream that is made anew counts from 1 again, so the moment when the message was stored belongs to it.
        moment = int(facts.timestamp.timestamp() * 1000)
        there = f"{self._settings.stream}-{moment}-{facts.sequence.stream}"
        return Received(id=own or there, payload=message.data, handle=message)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask again while the cluster elects a leader. Raises SourceDown when it takes too long."""
        deadline = time.monotonic() + _ELECTION
        while True:
            try:
                return await ask()
            except (NatsError, TimeoutError) as error:
                if isinstance(error, APIError) and error.code not in (None, 408, 500, 503):
                    raise SourceDown(f"the server refuses: {error.description}") from error
                if time.monotonic() > deadline:
                    raise SourceDown(f"no answer from the cluster: {error or self._last_error}") from error
            await asyncio.sleep(_AGAIN)
