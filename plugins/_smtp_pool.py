"""Conversations with one mail server, kept open between mails."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from feedback_app.concurrency import AsyncOnce
from feedback_app.plugins._smtp_conversation import Conversation, Limits, NotStarted, Server

if TYPE_CHECKING:
    from asyncio import TimerHandle

    from feedback_app.plugins._mail_builder import Mail


class SmtpPool:
    """At most `size` conversations at once; a mail waits until one is free."""

    def __init__(self, server: Server, size: int, limits: Limits | None = None) -> None:
        self._server = server
        self._limits = limits or Limits()
        self._slots = asyncio.Semaphore(size)
        self._idle: dict[Conversation, TimerHandle] = {}  # the one used last stands last
        self._ways_in = AsyncOnce(_prepare)

    async def open(self) -> None:
        """Connect only when there is a mail: a server that is down must not stop the start."""

    async def close(self) -> None:
        """Say goodbye in every idle conversation."""
        for conversation in list(self._idle):
            self._retire(conversation)
        await asyncio.sleep(0)  # lets the transports close before the loop does

    async def deliver(self, mail: Mail) -> str:
        """Hand the mail to the server and return its reply; raises what `Notifier.send` may raise.

        A conversation that the server ended while it was idle is replaced without a word: nothing was sent.
        """
        async with self._slots:
            if self._idle:
                with suppress(NotStarted):
                    return await self._send_on(self._take(), mail)
            context, own_name = await self._ways_in.get()
            fresh = await Conversation.open(self._server, self._limits, context, own_name)
            return await self._send_on(fresh, mail)

    async def _send_on(self, conversation: Conversation, mail: Mail) -> str:
        try:
            return await conversation.send(mail)
        finally:
            self._put_back(conversation)

    def _take(self) -> Conversation:
        conversation, timer = self._idle.popitem()
        timer.cancel()
        return conversation

    def _put_back(self, conversation: Conversation) -> None:
        if not conversation.fit:
            conversation.cut()
        elif conversation.mails >= self._limits.mails:
            conversation.leave()
        else:
            loop = asyncio.get_running_loop()
            self._idle[conversation] = loop.call_later(self._limits.idle, self._retire, conversation)

    def _retire(self, conversation: Conversation) -> None:
        self._idle.pop(conversation).cancel()
        conversation.leave()


async def _prepare() -> tuple[ssl.SSLContext, str]:
    """Return the rules for TLS and this host's name; files and the network are asked, so not in the loop."""
    return await asyncio.gather(asyncio.to_thread(strict_context), asyncio.to_thread(socket.getfqdn))


def strict_context() -> ssl.SSLContext:
    """Return the rules for TLS: modern, with a trusted certificate that names the host."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
