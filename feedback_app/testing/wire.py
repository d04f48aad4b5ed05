"""What the recording servers share: where they listen, and what they do instead of an answer."""

from __future__ import annotations

import socket
from enum import Enum
from typing import cast

LOOPBACK = "127.0.0.1"


class Act(Enum):
    """What a misbehaving server does in the place of an answer."""

    DROP = "closes the connection"
    RESET = "breaks the connection off"
    HANG = "says nothing until the test is over"


def free_port() -> int:
    """Return a port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return cast("int", probe.getsockname()[1])
