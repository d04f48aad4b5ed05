"""What the checks may know of the far side: how to make it misbehave, what it was told, what it has to give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeAlias

from feedback_app.errors import ChannelDown, DeliveryError, OutcomeUnknown, PermanentFailure, TemporaryFailure

Fault: TypeAlias = Literal[
    "temporary",  # it says that it cannot take a message now
    "permanent",  # it says that it never will take this message
    "channel_down",  # it refuses the account, or is not there
    "unknown",  # it breaks off after it was told everything
    "silence",  # it takes the message and says nothing while the fault lasts
]
Faults: TypeAlias = Mapping[Fault, Callable[[], AbstractContextManager[Any]]]  # entered while the fault lasts

RAISED: Mapping[Fault, tuple[type[DeliveryError], ...]] = {  # what `send` is to make of each
    "temporary": (TemporaryFailure, ChannelDown),
    "permanent": (PermanentFailure,),
    "channel_down": (ChannelDown,),
    "unknown": (OutcomeUnknown,),
}


class FarSide:
    """The other end of a notifier or a source; whatever it cannot do is not tested, and that is said.

    `RecordingHttpServer` and `RecordingSmtpServer` are such; for others override what you can.
    """

    remembers = True  # of a source: it knows itself what was acknowledged; else only the position tells, and the newest
    # may come again after a new start, by the same ids

    def address(self) -> str | None:
        """Return where a customer is reached here, None where the kit's e-mail address, phone number or id will do."""
        return None

    @property
    def faults(self) -> Faults:
        """How to provoke each fault: functions that return a context manager."""
        return {}

    def received(self) -> Sequence[str] | None:
        """Return all that it was told, as texts in order; None where that cannot be seen."""
        return None

    def put(self, payloads: Sequence[bytes]) -> bool:
        """Lay payloads ready for a source, False where that cannot be done."""
        del payloads
        return False

    def objection(self) -> str:
        """Say why it must not be talked to, "" where it may be. Asked before and after each check."""
        return ""
