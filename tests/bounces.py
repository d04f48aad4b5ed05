"""Makes mails that say that a mail was not delivered, as mail servers write them."""

from __future__ import annotations

from email.message import EmailMessage


def notification(
    message_id: str,
    recipient: str,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    words: str = "smtp; 550 5.1.1 no such user",
    whole: bool = True,
    number: int = 1,
) -> bytes:
    """Return a delivery status notification about one recipient; it quotes the mail, or its headers alone.

    `number` tells notifications apart, as their own Message-ID does.
    """
    head = f"From: shop@example.com\r\nTo: {recipient}\r\nSubject: Thanks\r\n"
    quoted = f"{head}Message-ID: <{message_id}@example.com>\r\n"
    outer = EmailMessage()
    outer["From"] = "MAILER-DAEMON@example.com"
    outer["To"] = "shop@example.com"
    outer["Subject"] = "Undelivered Mail Returned to Sender"
    outer["Message-ID"] = f"<{number}@mail.example.com>"
    head = outer.as_string().rstrip("\n").replace("\n", "\r\n")
    kind, original = (
        ("message/rfc822", f"{quoted}\r\nThank you.\r\n") if whole else ("text/rfc822-headers", quoted)
    )
    status_fields = (
        "Reporting-MTA: dns; mail.example.com\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: {words}\r\n"
    )
    parts = (
        ("text/plain", "I'm sorry to have to inform you that your message could not be delivered.\r\n"),
        ("message/delivery-status", status_fields),
        (kind, original),
    )
    body = "".join(f"--b\r\nContent-Type: {name}\r\n\r\n{text}\r\n" for name, text in parts)
    return (
        f"{head}\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        f"{body}--b--\r\n"
    ).encode()
