"""What the fixtures give to the tests of plugins."""

from __future__ import annotations

import smtplib
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest

from feedback_app import Customer
from feedback_app.errors import BadConfig
from feedback_app.testing import Act, App, HttpAnswer, ManualClock, RecordingHttpServer, RecordingSmtpServer
from tests.running import RECORDER

pytest_plugins = ["feedback_app.testing.fixtures"]

ADA = Customer(id="ada", name="Ada", preferred_channels=("chat",))


def test_a_customer_is_thanked_by_the_plugin(app: App) -> None:
    """A customer and a rating go in, a message comes out."""
    app.add_plugin(RECORDER, "chat")
    app.add_customer(ADA)
    app.add_rating(5, "ada", item="lamp", comment="lovely")
    figures = app.drain()
    assert (figures.processed, figures.tries) == (1, {"sent": 1})
    (message,) = app.messages()
    assert (message.channel, message.recipient, message.state) == ("chat", "ada", "sent")
    assert "Ada" in message.text


async def test_it_works_where_a_loop_runs_too(app: App) -> None:
    """In a test that is a coroutine."""
    app.add_rating(5)
    assert app.drain().processed == 1


def test_a_broken_plugin_fails_the_drain(app: App) -> None:
    """With the words that the daemon has for it."""
    app.configure('[plugins]\nrequired = ["chat"]\n')
    app.add_plugin("import nothing_of_that_name\n", "chat")
    with pytest.raises(BadConfig, match=r"chat\.py:1: needs 'nothing_of_that_name'"):
        app.drain()


def test_a_message_that_failed_is_tried_again_when_its_time_has_come(
    app: App, clock: ManualClock, http_server: RecordingHttpServer
) -> None:
    """Time stands still until the clock is turned."""
    later = "if message.attempt == 1:\n            raise TemporaryFailure('later', 60)\n        with LOG"
    plugin = RECORDER.replace("with LOG", later)
    app.add_plugin(plugin.replace("import Message", "import TemporaryFailure, Message"), "chat")
    app.add_customer(ADA)
    app.add_rating(5, "ada")
    app.drain()
    assert [(one.state, one.error) for one in app.messages()] == [("queued", "later")]
    app.drain()
    assert [one.state for one in app.messages()] == ["queued"]
    clock.turn(minutes=2)
    app.drain()
    assert [one.state for one in app.messages()] == ["sent"]


def test_the_clock_is_turned_and_set(clock: ManualClock) -> None:
    """It gives milliseconds, and refuses a moment without a zone."""
    before = clock()
    clock.turn(hours=1, seconds=1)
    assert clock() - before == 3_601_000
    clock.set(datetime(2030, 1, 1, tzinfo=UTC))
    assert clock.now.year == 2030
    with pytest.raises(ValueError, match="no time zone"):
        clock.set(datetime(2030, 1, 1))  # noqa: DTZ001 - that is what is wrong


def test_the_web_server_records_and_answers_in_turn(http_server: RecordingHttpServer) -> None:
    """Its own answers are counted ids."""
    for number in (1, 2):
        with urllib.request.urlopen(f"{http_server.url}/send?x=1", data=b"hello") as answer:
            assert answer.read() == b'{"id": "%d"}' % number
    assert [(one.method, one.path, one.body) for one in http_server.requests] == [
        ("POST", "/send?x=1", b"hello")
    ] * 2
    with http_server.faults["temporary"](), pytest.raises(urllib.error.HTTPError, match="429"):
        urllib.request.urlopen(http_server.url)


def test_the_web_servers_answers_come_first() -> None:
    """One for each request."""
    with RecordingHttpServer([HttpAnswer(status=404), Act.DROP]) as server:
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(server.url)
        with pytest.raises(OSError):  # noqa: PT011 - whatever it is called
            urllib.request.urlopen(server.url)
        assert urllib.request.urlopen(server.url).status == 200


def test_the_mail_server_records_and_refuses(smtp_server: RecordingSmtpServer) -> None:
    """Each fault at its stage."""
    with smtplib.SMTP(smtp_server.host, smtp_server.port) as client:
        client.sendmail("a@example.com", ["b@example.com"], "Subject: x\n\nhello")
        with smtp_server.faults["permanent"](), pytest.raises(smtplib.SMTPRecipientsRefused, match="550"):
            client.sendmail("a@example.com", ["b@example.com"], "hello")
        with smtp_server.faults["channel_down"](), pytest.raises(smtplib.SMTPSenderRefused, match="530"):
            client.sendmail("a@example.com", ["b@example.com"], "hello")
    assert [mail.recipients for mail in smtp_server.mails] == [("b@example.com",)]


def test_the_kit_is_light() -> None:
    """Neither pytest nor aiosmtpd nor the database come with its import."""
    heavy = "{'pytest', 'aiosmtpd', 'sqlalchemy', 'click'} & set(sys.modules)"
    code = f"import sys, feedback_app.testing; print({heavy} or 'light')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "light\n"
