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

from feedback_app import ChannelDown, Message, Notifier, Receipt, hookimpl

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

    def __init__(self, form: Literal["text", "json"]) -> None:
        self._shown = _as_json if form == "json" else _as_text
        self._turn = asyncio.Lock()
        self._printing: asyncio.Future[None] | None = None

    async def send(self, message: Message) -> Receipt:
        """Print the message. Raises ChannelDown when nobody takes what is printed."""
        async with self._turn:
            if self._printing and not self._printing.done():
                raise ChannelDown("the standard output takes nothing: whoever reads it has stopped")
            # A full pipe holds its thread as long as it likes; there is never a second one beside it.
            self._printing = asyncio.ensure_future(asyncio.to_thread(_print, self._shown(message)))
            self._printing.add_done_callback(_looked_at)
            await asyncio.shield(self._printing)
        return Receipt(detail="printed")


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
