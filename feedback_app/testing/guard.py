"""Keeps a plugin that is tested on this machine: whatever would reach another one is refused, and noted.

Python tells an audit hook of each connection, look-up and program start before it happens (PEP 578), from whatever
library it comes. Code that does not ask Python, such as a driver in C, passes unseen.
"""

from __future__ import annotations

import ipaddress
import sys
from typing import TYPE_CHECKING, Any, Self

from feedback_app.testing.far_side import FarSide

if TYPE_CHECKING:
    from types import TracebackType

_PROGRAMS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"})
_TALKS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_LOOKUPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
_LOCAL_NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost"})


class RefusedHere(PermissionError):
    """The test may not leave this machine."""


class Guard(FarSide):
    """A far side of which nothing is known but that it must be on this machine, while the guard is entered."""

    _entered: list[Guard] = []  # a hook cannot be taken back, so there is one, which asks these  # noqa: RUF012
    _is_hooked = False

    def __init__(self) -> None:
        self._wanted = ""  # what the plugin wanted to reach

    def objection(self) -> str:
        """Say where the plugin wants to go, once it has tried."""
        return (
            self._wanted and f"it wants {self._wanted}; what leaves this machine is tested with --live only"
        )

    def refuse(self, what: str) -> None:
        """Note that the plugin is made for another machine, such as by its settings."""
        self._wanted = self._wanted or what

    def __enter__(self) -> Self:
        if not Guard._is_hooked:
            sys.addaudithook(_ask_the_guards)
            Guard._is_hooked = True
        self._entered.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.remove(self)

    @classmethod
    def judge(cls, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise RefusedHere for what would leave this machine."""
        if cls._entered and (what := _beyond(event, arguments)):
            for guard in cls._entered:
                guard.refuse(what)
            raise RefusedHere(f"the test may not leave this machine: {what}")


def _ask_the_guards(event: str, arguments: tuple[Any, ...]) -> None:
    Guard.judge(event, arguments)


def _beyond(event: str, arguments: tuple[Any, ...]) -> str:
    """Return what would leave this machine, "" for what stays here."""
    if event in _PROGRAMS:
        return "to start another program"
    if event in _LOOKUPS and not is_here(arguments[0]):
        return f"to look up {_text(arguments[0])}"
    if event in _TALKS and isinstance(arguments[1], tuple) and not is_here(arguments[1][0]):
        return f"to reach {_text(arguments[1][0])}, port {arguments[1][1]}"
    return ""


def is_here(host: object) -> bool:
    """Whether a name or an address is this machine's own; None and "" are."""
    name = _text(host or "").lower().rstrip(".").strip("[]")
    if name in _LOCAL_NAMES or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _text(host: object) -> str:
    return host.decode(errors="replace") if isinstance(host, bytes) else str(host)
