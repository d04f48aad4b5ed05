"""The family of errors: each brings its own sentence and the exit code that the command line ends with.

Exit codes follow sysexits.h: 1 failed, 2 usage, 65 bad data, 69 unavailable, 70 a bug, 73 cannot create,
74 I/O, 75 busy, 77 permission, 78 config.
"""

from __future__ import annotations


class FeedbackAppError(Exception):
    """Something went wrong that the program can name; `str()` is one line that a user can act on."""

    exit_code = 1


class UsageError(FeedbackAppError, ValueError):
    """The caller asked for something that cannot be."""

    exit_code = 2


class NotFound(FeedbackAppError, LookupError):
    """The row, plugin or report asked for does not exist."""

    exit_code = 1


class BadData(FeedbackAppError, ValueError):
    """Input was refused; nothing of it was stored."""

    exit_code = 65


class Unavailable(FeedbackAppError):
    """A service that is needed cannot be reached."""

    exit_code = 69


class CannotCreate(FeedbackAppError, OSError):
    """A file or folder cannot be made."""

    exit_code = 73


class StorageFailed(FeedbackAppError, OSError):
    """Reading or writing failed; the state is unknown, so the program stops."""

    exit_code = 74


class Busy(FeedbackAppError):
    """Somebody else holds what is needed; trying later may succeed."""

    exit_code = 75


class StorageFull(Busy):
    """No space is left; nothing was stored, trying again after space is made will work."""

    exit_code = StorageFailed.exit_code  # nobody holds it: waiting alone does not help


class Unreachable(Busy):
    """The ledger's server cannot be reached, or broke the connection; nothing was stored."""

    exit_code = Unavailable.exit_code


class NotPermitted(FeedbackAppError, PermissionError):
    """The operating system says no."""

    exit_code = 77


class BadConfig(FeedbackAppError, ValueError):
    """Settings, plugins, templates or the schema are not fit to run; `problems` holds a line for each."""

    exit_code = 78

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class DeliveryError(FeedbackAppError):
    """What a notifier raises to say how a send ended; `reason` is stored and shown, so no secrets in it."""

    reason = "no reason given"  # for a plugin's own class that has not called this __init__

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _SendAgain(DeliveryError):
    """One after which the message may be sent again.

    `retry_after` is the far side's wish in seconds, or None to leave it to the back-off.
    """

    retry_after: float | None = None

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class TemporaryFailure(_SendAgain):
    """The message surely did not leave and may do so later, not before `retry_after` seconds."""


class PermanentFailure(DeliveryError):
    """This message will never be accepted (no such mailbox, not a phone number): it ends as dead.

    `bad_address` says that nobody is reached at the address: nothing more is sent there.
    """

    bad_address: bool = False

    def __init__(self, reason: str, *, bad_address: bool = False) -> None:
        super().__init__(reason)
        self.bad_address = bad_address


class ChannelDown(DeliveryError):
    """The channel itself cannot be used (credentials, sender refused, server gone).

    The channel is paused and probed; no message loses an attempt.
    """


class OutcomeUnknown(_SendAgain):
    """The message may have left: the connection broke after the last byte, or the far side says that it failed (5xx).

    Where the channel may send it again, it does so not before `retry_after` seconds.
    """


class ForgedReceipt(FeedbackAppError):
    """What `read_receipts` raises when a request does not prove that it is the far side's: it is ignored."""

    exit_code = BadData.exit_code


class SourceDown(FeedbackAppError):
    """What a source raises when it cannot go on; the reason is logged and shown, so no secrets and no customers' data.

    Anything else that it raises means the same, and only its kind and place are.
    """

    exit_code = Unavailable.exit_code


_LONGEST_SAID = 2_000  # characters


def storable(said: object) -> str:
    """Return what a plugin or a far side said as text that any ledger can hold, cut to a sensible length."""
    try:
        text = str(said)
    except BaseException:  # noqa: BLE001 - a plugin's error may raise another one while it is shown
        text = f"{type(said).__name__}, which cannot be shown"
    return text[:_LONGEST_SAID].replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode()


def fault_site(error: BaseException) -> str:
    """Say where an unexpected error was raised, without its text, which may hold personal data."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}{place}"


def what_ended(error: BaseException) -> BaseException:
    """Return the one error of a group that ended a run: one of our own before a stranger."""
    errors: list[BaseException] = []
    stack = [error]
    while stack:
        one = stack.pop()
        if isinstance(one, BaseExceptionGroup):
            stack.extend(one.exceptions)
        else:
            errors.append(one)
    return next((one for one in errors if isinstance(one, FeedbackAppError)), errors[0])
