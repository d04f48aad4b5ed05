"""The channel `console`: each message is printed to the standard output.

Settings, `[plugins.console_notifier]`: see `Settings`. Without them the plugin is idle.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Literal

import msgspec
from pydantic import BaseModel, ConfigDict

from feedback_app import ChannelDown, Message, Notifier, OutcomeUnknown, Receipt, hookimpl

_STOPPED = 5.0  # seconds that one message may take to be printed, below the notifier's own limit
_JOINER = "\u200d"  # holds the parts of an emoji together; all else that is not seen is left out


class Settings(BaseModel):
    """The table `[plugins.console_notifier]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["text", "json"]  # a block of lines for people, or a line of JSON for programs


class ConsoleNotifier(Notifier):
    """Prints messages whole, one after the other, without anything that a terminal would obey."""

    channel = "console"
    timeout = 10.0
    on_unknown = "resend"  # a message that is printed twice does no harm

    def __init__(self, form: Literal["text", "json"], patience: float = _STOPPED) -> None:
        self._shown = _as_json if form == "json" else _as_text
        self._patience = patience
        self._turn = asyncio.Lock()
        self._printing: asyncio.Future[None] | None = None
        self._since = 0.0  # when that was begun, by the loop's clock

    async def send(self, message: Message) -> Receipt:
        """Print the message. Raises ChannelDown, and the one under way OutcomeUnknown, when nobody reads for long."""
        async with self._turn:
            # A full pipe holds its thread as long as it likes; there is never a second one beside it.
            if not await self._has_ended():
                raise ChannelDown("the standard output takes nothing: whoever reads it has stopped")
            self._since = asyncio.get_running_loop().time()
            self._printing = asyncio.ensure_future(asyncio.to_thread(_print, self._shown(message)))
            self._printing.add_done_callback(_looked_at)
            if not await self._has_ended():
                raise OutcomeUnknown(
                    "the standard output has not taken all of it: whoever reads it has stopped"
                )
            self._printing.result()
        return Receipt(detail="printed")

    async def _has_ended(self) -> bool:
        """Wait for the print that is under way, also one that nobody waited for; not for ever."""
        if self._printing is None or self._printing.done():
            return True
        left = self._since + self._patience - asyncio.get_running_loop().time()
        ended, _ = await asyncio.wait([self._printing], timeout=max(0.0, left))
        return bool(ended)


def _looked_at(printing: asyncio.Future[None]) -> None:
    """See how it ended, also where who waited for it has gone: else asyncio complains."""
    if not printing.cancelled():
        printing.exception()


def _print(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except (OSError, ValueError) as error:  # ValueError: it was closed
        reason = error.strerror if isinstance(error, OSError) else "it is closed"
        raise ChannelDown(f"cannot write to the standard output: {reason}") from None


def _as_json(message: Message) -> str:
    return json.dumps(msgspec.structs.asdict(message)) + "\n"  # in ASCII, so nothing in it is obeyed


def _as_text(message: Message) -> str:
    head = [f"--- {message.id}: {message.purpose} to {message.recipient}", message.subject]
    lines = [_visible(line) for line in head if line] + [
        _visible(line) for line in message.text.replace("\r\n", "\n").split("\n")
    ]
    return "\n".join(lines) + "\n\n"


def _visible(text: str) -> str:
    """Return the text without controls, line ends and marks that turn the direction of writing around."""
    return "".join(letter for letter in text.replace("\t", " ") if letter.isprintable() or letter == _JOINER)


@hookimpl
def make_notifier(settings: Settings) -> Notifier:
    """Return the notifier for `console`."""
    return ConsoleNotifier(settings.format)
