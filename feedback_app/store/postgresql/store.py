"""A ledger on a PostgreSQL server, opened."""

from __future__ import annotations

import asyncio
import random
import secrets
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self, TypeVar

from feedback_app.errors import StorageFailed, Unavailable, Unreachable
from feedback_app.store import notes
from feedback_app.store.postgresql import looking, schema
from feedback_app.store.postgresql.engines import reading_engine
from feedback_app.store.postgresql.failures import explained
from feedback_app.store.postgresql.leases import living
from feedback_app.store.postgresql.listener import Listener
from feedback_app.store.postgresql.writer import PostgresWriter, server_outage
from feedback_app.store.store import Role, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from types import TracebackType

    from sqlalchemy import URL, Connection

    from feedback_app.store.sizes import Room
    from feedback_app.store.writer import GroupCommitWriter, Unit

T = TypeVar("T")

_PAUSE = 1.0  # seconds between tries to reach the server, give or take half


class PostgresStore(Store):
    """A daemon waits for a server that is away, and goes on when it is back; a command fails with Unreachable."""

    shared = True

    def __init__(self, url: URL, role: Role = "command") -> None:
        self.name = url.render_as_string(hide_password=True)
        self._url = url
        self._role = role
        self._given_up = asyncio.Event()
        self._outage = server_outage()
        self._reading: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._writer = self._open_writer(stack)
            # Claims and outcomes are about different rows: on two connections, the server works on both at once.
            self._claimer = self._open_writer(stack) if self._role == "daemon" else self._writer
            self._reader = reading_engine(self._url)
            stack.push_async_callback(self._end_reading)
            await self._read(schema.check(self.name))
            found = await self._read(notes.ledger_id)
            if found is None:
                raise StorageFailed(f"{self.name}: the ledger has lost its id; restore it from a backup")
            self.ledger_id = found
            if self._role == "command":
                self._writer.channel = self._channel
            self._opened = stack.pop_all()
        return self

    def _open_writer(self, stack: AsyncExitStack) -> PostgresWriter:
        writer = PostgresWriter(
            self._url,
            self.name,
            writer_id=secrets.token_hex(8),
            patient=self._role == "daemon",
            outage=self._outage,
        )
        stack.callback(writer.close)
        writer.start()
        return writer

    async def _end_reading(self) -> None:
        await asyncio.gather(*self._reading, return_exceptions=True)
        await self._reader.dispose()

    @property
    def _channel(self) -> str:
        return f"feedback_app_{self.ledger_id}"

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.aclose()

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run a query on one snapshot, on a connection that cannot write."""
        while True:
            try:
                found = await self._read(query)
            except Unreachable as error:
                if self._role == "command":
                    raise
                if self._given_up.is_set():
                    raise Unavailable(str(error)) from error
                self._outage.met(reason=str(error))
                await asyncio.sleep(_PAUSE * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            else:
                self._outage.over()
                return found

    async def _read(self, query: Callable[[Connection], T]) -> T:
        # Cancelled in the middle, a connection would be lost to the pool and stay open on the server: the caller
        # goes, the reading ends.
        reading = asyncio.create_task(self._read_whole(query), name="ledger-read")
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)
        return await asyncio.shield(reading)

    async def _read_whole(self, query: Callable[[Connection], T]) -> T:
        with explained(self.name):
            async with self._reader.connect() as connection:
                return await connection.run_sync(query)

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit of work and return its result once it is safe on the server's disk."""
        return await self._writer.write(unit)

    async def claim(self, unit: Unit[T]) -> T:
        """Run a unit that takes work in hand, at the same time as others finish some."""
        return await self._claimer.write(unit)

    def submit(self, unit: Unit[T]) -> Future[T]:
        """Do the same from any thread, without waiting."""
        return self._writer.submit(unit)

    def watch(self, heard: Callable[[], None]) -> None:
        """Call `heard` in this event loop whenever a command committed."""
        listener = Listener(self._url, self._channel, heard)
        listener.open()
        self._opened.push_async_callback(listener.close)

    def changed(self) -> bool:
        """Return True: the server does not tell for nothing, and to ask for work costs as little."""
        return True

    async def running_daemon(self) -> int | None:
        """Ask for heartbeats that are young enough."""
        pids = await self.read(living)
        return pids[0] if pids else None

    @property
    def failed(self) -> StorageFailed | None:
        """Why the ledger cannot be trusted any more, as far as is known."""
        return self._writer.failed or self._claimer.failed

    @property
    def writers(self) -> Mapping[str, GroupCommitWriter]:
        """What takes work in hand has a connection of its own in a daemon."""
        return {"writer": self._writer, "claimer": self._claimer}

    async def room(self) -> Room:
        """Ask the server what the database takes; its operator knows its disks."""
        return await self.read(looking.room_of)

    @property
    def away(self) -> bool:
        """Whether a writer waits for the server."""
        return self._writer.away or self._claimer.away

    def give_up(self) -> None:
        """Wait no longer for the server."""
        self._given_up.set()
        self._writer.give_up()
        self._claimer.give_up()
