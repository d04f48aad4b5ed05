"""Login and TLS: nobody gets a mail or a password who cannot prove who they are."""

from __future__ import annotations

import asyncio
import gc
import ssl
import time
import warnings
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from feedback_app import ChannelDown, Notifier, PermanentFailure
from feedback_app.plugins import email_notifier
from feedback_app.plugins._smtp_conversation import Limits
from feedback_app.plugins._tls import strict_context
from feedback_app.plugins.email_notifier import Settings
from tests.plugins.mail_helpers import QUICK, failure_of, message, notifier, opened
from tests.plugins.scripted_smtp import ScriptedSmtpServer
from tests.servers import TLS_DATA, Act, RecordingSmtpServer, server_tls

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP

    from tests.plugins.scripted_smtp import Script

NO_SIZE = "250 test"  # an offer without SIZE, AUTH and STARTTLS


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        (
            {"AUTH": "535 5.7.8 wrong: canary-user canary-word"},
            "answered 535 5.7.8 wrong: (private) (private)",
        ),
        ({"AUTH": "454 temporary"}, "answered 454"),
        ({"AUTH": Act.DROP}, "cannot use"),
        ({"AUTH": Act.HANG}, "did not answer in time"),
        ({"EHLO": NO_SIZE}, "AUTH extension is not supported"),
    ],
)
async def test_a_failed_login_pauses_the_channel_without_showing_the_account(
    script: Script, complaint: str
) -> None:
    """No message is burnt for a wrong password, and neither name nor password is repeated."""
    login = ("canary-user", SecretStr("canary-word"))
    limits = QUICK if script.get("AUTH") is Act.HANG else Limits()
    async with ScriptedSmtpServer(script) as server, opened(notifier(server, limits, login=login)) as one:
        failure = await failure_of(one, message())
    assert isinstance(failure, ChannelDown)
    assert complaint in failure.reason
    assert "canary" not in failure.reason
    assert "MAIL" not in server.seen


@pytest.mark.parametrize("step", ["RCPT", "DATA", "DOT"])
async def test_a_channel_that_goes_down_in_mid_mail_quotes_nothing_of_it(step: str) -> None:
    """The reason is logged and shown, and the server has read words of the customer's by then."""
    script: Script = {step: "535 5.7.8 log in first: Dear Canary,"}
    async with ScriptedSmtpServer(script) as server, opened(notifier(server)) as one:
        failure = await failure_of(one, message())
    assert isinstance(failure, ChannelDown)
    assert failure.reason.endswith(" with 535")


@pytest.mark.parametrize("code", [535, 550])
@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_channel_that_goes_down_between_two_mails_quotes_nothing_of_the_first(
    code: int, *, pipelining: bool
) -> None:
    """The conversation goes on with the next customer's mail, and the server remembers the last one's."""
    script: Script = {"MAIL": ["250 sender fine", f"{code} no more after Dear Canary,"]}
    async with (
        ScriptedSmtpServer(script, pipelining=pipelining) as server,
        opened(notifier(server)) as one,
    ):
        await one.send(message(1))
        failure = await failure_of(one, message(2))
    assert isinstance(failure, ChannelDown)
    assert failure.reason.endswith(f" answered MAIL with {code}")


def over(server: RecordingSmtpServer | ScriptedSmtpServer, tls: str, *, login: bool = False) -> Notifier:
    """Return the notifier that talks to a server only over TLS."""
    settings = {"transport": "smtp", "host": "localhost", "port": server.port, "tls": tls}
    settings |= {"username": "canary-user", "password": "canary-word"} if login else {}
    one: Notifier = email_notifier.make_notifier(Settings.model_validate(settings))
    return one


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_trusted_server_gets_the_mail_over_tls(tls: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its certificate is signed by whom this machine trusts and names the host."""
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS_DATA / "good.pem"))
    with RecordingSmtpServer(**{tls: server_tls()}) as server:
        async with opened(over(server, tls)) as one:
            await one.send(message())
            await one.send(message(2))
    assert (len(server.mails), server.conversations) == (2, 1)


class SlowGoodbye(RecordingSmtpServer):
    """The whole server stands still before it answers the end of TLS."""

    def smtp(self) -> SMTP:
        """Return a protocol that takes its time."""

        def eof_received() -> bool:
            time.sleep(0.2)
            return False

        talk = super().smtp()
        talk.eof_received = eof_received  # type: ignore[method-assign]
        return talk


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_loop_that_ends_behind_the_last_mail_leaves_no_connection_open(
    tls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of TLS takes a turn of the far side's, too."""
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS_DATA / "good.pem"))

    async def send(one: Notifier) -> None:
        await one.check()
        async with opened(one):
            await one.send(message())

    with (
        SlowGoodbye(**{tls: server_tls()}) as server,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        asyncio.run(send(over(server, tls)))
        gc.collect()
    assert server.conversations == 2
    assert [str(one.message) for one in caught] == []


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("certificate", "trusted", "complaint"),
    [
        ("good.pem", "wrong_host.pem", "self-signed certificate"),
        ("wrong_host.pem", "wrong_host.pem", "Hostname mismatch"),
        ("expired.pem", "expired.pem", "certificate has expired"),
    ],
)
async def test_c11_a_server_that_cannot_prove_itself_gets_nothing(
    tls: str, certificate: str, trusted: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown signer, another's name, out of date: the channel is down and says why."""
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS_DATA / trusted))
    with RecordingSmtpServer(**{tls: server_tls(certificate)}) as server:
        async with opened(over(server, tls)) as one:
            failure = await failure_of(one, message())
    assert isinstance(failure, ChannelDown)
    assert complaint in failure.reason
    assert not server.mails


@pytest.mark.parametrize(
    "script",
    [
        {"EHLO": NO_SIZE},
        {"EHLO": b"250-test\r\n250 AUTH PLAIN\r\n"},
        {"EHLO": "502 what"},
        {"STARTTLS": "454 not now"},
        {"STARTTLS": Act.DROP},
        {"STARTTLS": b"no SMTP\r\n"},
        {"STARTTLS": "220 go ahead", "HANDSHAKE": b"250 no need to\r\n"},
    ],
)
async def test_s4_without_tls_nothing_is_sent_where_tls_is_wanted(script: Script) -> None:
    """Whoever strikes STARTTLS out of the offer, or talks on in clear, gets neither mail nor password."""
    async with (
        ScriptedSmtpServer(script, tls=server_tls()) as server,
        opened(over(server, "starttls", login=True)) as one,
    ):
        failure = await failure_of(one, message())
    assert isinstance(failure, ChannelDown)
    assert not {"AUTH", "MAIL"} & set(server.seen)


async def test_s4_what_was_said_before_tls_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply slipped in behind the go-ahead is not taken for one of the encrypted talk (CVE-2011-0411)."""
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS_DATA / "good.pem"))
    script: Script = {"STARTTLS": b"220 go ahead\r\n250-injected\r\n250 AUTH PLAIN\r\n", "RCPT": ["550 no"]}
    async with (
        ScriptedSmtpServer(script, tls=server_tls()) as server,
        opened(over(server, "starttls")) as one,
    ):
        failure = await failure_of(one, message(1))
        receipt = await one.send(message(2))
    assert isinstance(failure, PermanentFailure)
    assert receipt.detail == "250 queued thanks-2"


def test_tls_is_modern_and_certificates_are_checked() -> None:
    """TLS 1.2 at least, with the host's name in a certificate that somebody trusted has signed."""
    context = strict_context()
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
