"""What a mail server's replies and silences mean for a message, by the step they come at (RFC 5321, 4.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from aiosmtplib.errors import SMTPException, SMTPResponseException

from feedback_app import ChannelDown, OutcomeUnknown, PermanentFailure, TemporaryFailure
from feedback_app.plugins._reaching import why_no_connection
from feedback_app.plugins._redaction import presentable
from feedback_app.plugins._smtp_wire import HungUp

if TYPE_CHECKING:
    from aiosmtplib import SMTPResponse

    from feedback_app.plugins._mail_builder import Mail
    from feedback_app.plugins._smtp_conversation import Server

Verb = Literal["RSET", "MAIL", "RCPT", "DATA"]
Step = Verb | Literal["the end of the data"]
DOT: Step = "the end of the data"

SHUTTING_DOWN = 421
_TOO_LARGE = 552
_GREYLIST_CODES = (450, 451)
_LOGIN_CODES = (530, 534, 535, 538)  # RFC 4954, 6: the account is at fault, whatever command is answered
_TEMPORARY = range(400, 500)
_PERMANENT = range(500, 600)

# Nobody is reached there, whatever is sent (RFC 3463, 3.2 and 3.3): no such mailbox or domain, moved, disabled.
_NOBODY = re.compile(r"5\.(1\.([0-36]|10)|2\.1)\b")

GREYLIST_WAIT = 300.0  # seconds; greylisting servers refuse again before (RFC 6647, 5)


class NotStarted(TemporaryFailure):
    """The conversation ended before the server took up the mail."""


class TurnedAway(ChannelDown):
    """The server answered 421 before it took up the mail: too many connections, or it is shutting down."""


def is_refusal(code: int) -> bool:
    """Say whether the reply is a proper no, after which both sides know where they stand."""
    return (code in _TEMPORARY or code in _PERMANENT) and code != SHUTTING_DOWN


def refusal(
    step: Step, reply: SMTPResponse, who: str, mail: Mail, *, is_first: bool
) -> ChannelDown | OutcomeUnknown | PermanentFailure | TemporaryFailure:
    """Return the error that the reply of `who`, other than the wanted one, means at this step.

    `is_first` says that the mail is the first of its conversation.
    """
    code = reply.code
    said = f"{who} answered {step} with {without_address(reply, mail)}"
    # Why a channel is down is logged; who has seen a mail, this one or one before, may quote a customer's words.
    logged = said if step == "MAIL" and is_first else f"{who} answered {step} with {code}"
    if step == "MAIL" and code == SHUTTING_DOWN:
        return TurnedAway(logged)
    if code in _LOGIN_CODES:
        return ChannelDown(logged)
    if code in _TEMPORARY:
        greylisted = step == "RCPT" and code in _GREYLIST_CODES
        return TemporaryFailure(said, retry_after=GREYLIST_WAIT if greylisted else None)
    if code in _PERMANENT:
        our_fault = step == "MAIL" and code != _TOO_LARGE  # the sender is the same in every mail
        if our_fault:
            return ChannelDown(logged)
        return PermanentFailure(said, bad_address=step == "RCPT" and _NOBODY.match(reply.message) is not None)
    return OutcomeUnknown(said) if step == DOT else TemporaryFailure(said)


def without_address(reply: SMTPResponse, mail: Mail) -> str:
    """Return the reply without the customer's address or mailbox, either of which servers like to quote."""
    mailbox = mail.recipient.partition("@")[0]
    return f"{reply.code} {presentable(reply.message, (mail.recipient, mailbox))}"


def silence(error: Exception, limit: float) -> str:
    """Say what came in the place of a reply that was waited for for `limit` seconds; the step follows."""
    if isinstance(error, TimeoutError):
        return f"did not answer within {limit:.0f} s at"
    if isinstance(error, HungUp):
        return "closed the connection at"
    return "answered with something that is not SMTP at"


def why_not_open(server: Server, error: Exception) -> str:
    """Say why no conversation came about, without the account's name and password."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(error, SMTPResponseException):
        return f"{server} answered {error.code} {presentable(error.message, server.private_words)}"
    if isinstance(cause, OSError) and not isinstance(cause, SMTPException):
        return why_no_connection(str(server), cause)
    words = error.message if isinstance(error, SMTPException) else type(error).__name__
    return f"cannot use {server}: {presentable(words, server.private_words)}"
