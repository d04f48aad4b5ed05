"""From a customer's words to a mail that leaves, without ledger and daemon: pipeline, composer, notifier."""

from __future__ import annotations

from pathlib import Path

from feedback_app import Message
from feedback_app.model import Customer, Feedback
from feedback_app.pipeline import Composer, Pipeline, Policy
from feedback_app.plugins._mail_builder import MailBuilder
from feedback_app.plugins._mail_headers import parse_mailbox
from feedback_app.plugins._smtp_conversation import Limits, Server
from feedback_app.plugins._smtp_pool import SmtpPool
from feedback_app.plugins.email_notifier import EmailNotifier
from tests.security.wire import Talk, WireSink

ADDRESS = "anna@example.com"
SENDER = "Shop <shop@example.com>"
NOWHERE = Path("/nonexistent")  # a folder of templates that is not there: the shipped ones are used


def notifier(port: int = 1, sender: str = SENDER) -> EmailNotifier:
    """Return the channel `email`, to a server without TLS."""
    server = Server(host="127.0.0.1", port=port, tls="none")
    return EmailNotifier(MailBuilder(parse_mailbox(sender)), SmtpPool(server, 1, Limits()))


async def message(
    feedback: Feedback, customer: Customer, *, templates: Path = NOWHERE, business: str = "Shop"
) -> Message:
    """Return the thank-you that the pipeline forms."""
    pipeline = Pipeline(
        policy=Policy(low_below=3, thank_low_ratings=True),
        composer=Composer(templates, business=business),
        notifiers={"email": notifier()},
        ledger_id="ledger",
    )
    (formed,) = (await pipeline(feedback, customer)).messages
    return formed


async def sent(formed: Message, sender: str = SENDER) -> Talk:
    """Send one message and return all that the server heard."""
    async with WireSink() as sink:
        channel = notifier(sink.port, sender)
        await channel.open()
        try:
            await channel.send(formed)
        finally:
            await channel.close()
        return await sink.talk()
