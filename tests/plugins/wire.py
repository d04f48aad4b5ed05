"""What a badly behaved server puts on the wire, for mail servers and SMS gateways alike."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from tests.servers import LOOPBACK, Act

if TYPE_CHECKING:
    from asyncio import StreamWriter
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Slowly:
    """A text that comes byte by byte, each after `pause` seconds."""

    text: str | bytes
    pause: float


@dataclass(frozen=True, slots=True)
class Endlessly:
    """Bytes that are repeated until the client leaves, or would have to store too much of them."""

    piece: bytes


_ENOUGH = 100_000_000  # bytes

Part: TypeAlias = str | bytes | Act | Slowly | Endlessly  # text gets its line end, bytes are sent as they are
Reply: TypeAlias = Part | tuple[Part, ...]  # a tuple's parts come one after the other


def on_the_wire(reply: Reply) -> bytes:
    """Return the bytes that a reply puts on the wire, those that are repeated once."""
    match reply:
        case tuple():
            return b"".join(on_the_wire(part) for part in reply)
        case Act():
            return b""
        case bytes():
            return reply
        case str():
            return reply.encode() + b"\r\n"
        case Slowly():
            return on_the_wire(reply.text)
        case Endlessly():
            return reply.piece


def label(reply: Reply) -> str:
    """Return a short name for a test's list."""
    match reply:
        case tuple():
            return " then ".join(map(label, reply))
        case Act():
            return reply.name
        case Slowly():
            return f"{label(reply.text)} by {reply.pause} s"
        case Endlessly():
            return f"{label(reply.piece)} without end"
        case _:
            return repr(reply)[:40]


async def play(reply: Reply, writer: StreamWriter, over: asyncio.Event) -> bytes:
    """Do what the reply says and return what was said; who hangs waits for `over`.

    Raises EOFError when the talk has ended with it.
    """
    for part in reply if isinstance(reply, tuple) else (reply,):
        match part:
            case Act():
                await _misbehave(part, writer, over)
            case Slowly():
                await _drip(part, writer)
            case Endlessly():
                await _flood(part, writer)
            case _:
                writer.write(on_the_wire(part))
        await writer.drain()
    return on_the_wire(reply)


async def _drip(line: Slowly, writer: StreamWriter) -> None:
    for byte in on_the_wire(line):
        await asyncio.sleep(line.pause)
        if writer.is_closing():
            raise EOFError("the client had no patience")
        writer.write(bytes((byte,)))


async def _flood(flood: Endlessly, writer: StreamWriter) -> None:
    for _ in range(_ENOUGH // len(flood.piece)):
        writer.write(flood.piece)
        await writer.drain()
    raise EOFError("the client took it all")


async def _misbehave(act: Act, writer: StreamWriter, over: asyncio.Event) -> NoReturn:
    if act is Act.HANG:
        await over.wait()
    if act is Act.RESET:
        linger_for_nothing = b"\1\0\0\0\0\0\0\0"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_nothing)
    raise EOFError(act.value)


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """Give a port at which connecting neither succeeds nor fails: its queue is full and nobody accepts."""
    with socket.create_server((LOOPBACK, 0), backlog=0) as listener, contextlib.ExitStack() as waiting:
        port: int = listener.getsockname()[1]
        for _ in range(2):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex((LOOPBACK, port))
        yield port
