"""Bounces and fail-over through the whole program, with a mail server and an SMS gateway on loopback."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from feedback_app.plugins import email_notifier
from tests.bounces import notification
from tests.cli.conftest import Cli
from tests.cli.far_sides import EMAIL, id_of, message_of, rate, servers
from tests.running import rows
from tests.servers import RecordingSmtpServer, free_port


def test_a_hard_bounce_suppresses_the_address_and_the_next_channel_takes_over(cli: Cli, folder: Path) -> None:
    """Once, however often the notification comes; the next message does not even try the address."""
    with servers(folder) as (mail, sms):
        rate(cli, "ada")
        cli.ok("run", "--drain")
        bounce = folder / "bounce.eml"
        bounce.write_bytes(notification(id_of(mail.mails[0].data), "Ada@Example.com"))
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 failed\n"
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 known before\n"
        (bad,) = cli.ok("suppressions", "list", "--json").json
        assert (bad["channel"], bad["address"]) == ("email", "ada@example.com")
        assert bad["reason"] == "5.1.1 550 5.1.1 no such user"
        cli.ok("run", "--drain")
        assert [one.recipient for one in sms.messages] == ["+4915112345678"]
        found = message_of(cli)
        assert (found["state"], found["channel"]) == ("sent", "sms")
        assert [one["outcome"] for one in found["delivery_attempts"]] == ["sent", "bounced", "sent"]
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 known before\n"

        rate(cli, "bob")
        cli.ok("run", "--drain")
        assert (len(mail.mails), len(sms.messages)) == (1, 2)
        cli.ok("suppressions", "remove", "email", "ADA@example.com")
        rate(cli, "carl")
        cli.ok("run", "--drain")
        assert (len(mail.mails), len(sms.messages)) == (2, 2)


def test_a_message_to_a_suppressed_address_ends_as_suppressed_where_there_is_no_other(
    cli: Cli, folder: Path
) -> None:
    """It says why."""
    with servers(folder) as (mail, _):
        cli.ok("suppressions", "add", "email", "ada@example.com", "--reason", "asked us to stop")
        rate(cli, "ada", preferred="email")
        cli.ok("run", "--drain")
        assert mail.mails == []
        found = message_of(cli)
        assert found["state"] == "suppressed"
        assert found["error"] == "nothing is sent to this address any more: asked us to stop"
        assert found["settled_at"]
        assert found["delivery_attempts"] == []


def test_a_soft_bounce_changes_nothing_but_what_is_known(cli: Cli, folder: Path) -> None:
    """The mail server goes on trying; when it gives up for a full mailbox, the address stays good."""
    with servers(folder) as (mail, sms):
        rate(cli, "ada")
        cli.ok("run", "--drain")
        sent = id_of(mail.mails[0].data)
        bounce = folder / "bounce.eml"
        bounce.write_bytes(notification(sent, "ada@example.com", action="delayed", status="4.4.1"))
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 delayed\n"
        found = message_of(cli)
        assert (found["state"], found["receipt"]) == ("sent", "delayed")
        assert "delayed: 4.4.1" in cli.ok("feedback", "explain", "1").out
        bounce.write_bytes(notification(sent, "ada@example.com", status="5.2.2"))
        assert cli.ok("messages", "bounces", "ingest", str(bounce), "--json").json["failed"] == 1
        assert cli.ok("suppressions", "list", "--json").json == []
        cli.ok("run", "--drain")
        assert len(sms.messages) == 1


def test_a_bounced_message_that_is_retried_is_sent_for_good(cli: Cli, folder: Path) -> None:
    """The old notification, still in its folder, does not end it a second time; another one does."""
    with servers(folder) as (mail, sms):
        rate(cli, "ada", preferred="email")
        cli.ok("run", "--drain")
        sent = id_of(mail.mails[0].data)
        bounce = folder / "bounce.eml"
        bounce.write_bytes(notification(sent, "ada@example.com", status="5.2.2", words="smtp; 552 full"))
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 failed\n"
        assert message_of(cli)["state"] == "dead"

        cli.ok("messages", "retry", "1")
        found = message_of(cli)
        assert (found["receipt"], found["receipt_at"], found["receipt_detail"]) == (None, None, None)
        cli.ok("run", "--drain")
        assert message_of(cli)["state"] == "sent"
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 known before\n"
        assert (message_of(cli)["state"], len(mail.mails), len(sms.messages)) == ("sent", 2, 0)

        again = notification(sent, "ada@example.com", status="5.2.2", words="smtp; 552 full", number=2)
        bounce.write_bytes(again)
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 failed\n"
        found = message_of(cli)
        assert (found["state"], found["error"]) == ("dead", "5.2.2 552 full")


@pytest.mark.parametrize("has_id", [True, False])
def test_a_notification_noted_without_its_id_is_known_by_its_words(
    cli: Cli, folder: Path, *, has_id: bool
) -> None:
    """It has none, or was noted by a program that kept none."""
    with servers(folder) as (mail, _):
        rate(cli, "ada", preferred="email")
        cli.ok("run", "--drain")
        bounce = folder / "bounce.eml"
        bounce.write_bytes(notification(id_of(mail.mails[0].data), "ada@example.com", status="5.2.2"))
        if not has_id:
            bounce.write_bytes(bounce.read_bytes().replace(b"Message-ID: <1@", b"X-Id: <1@"))
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 failed\n"
        with closing(sqlite3.connect(folder / "feedback.db")) as ledger, ledger:
            ledger.execute("UPDATE delivery_attempt SET provider_id = NULL WHERE outcome = 'bounced'")
        cli.ok("messages", "retry", "1")
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 known before\n"
        assert message_of(cli)["state"] == "queued"


def test_what_strangers_write_changes_nothing(cli: Cli, folder: Path) -> None:
    """A notification about another address than the message's, or about no message; rubbish is said and costs 65."""
    with servers(folder) as (mail, _):
        rate(cli, "ada")
        cli.ok("run", "--drain")
        box = folder / "Maildir"
        for name in ("new", "cur", "tmp"):
            (box / name).mkdir(parents=True)
        sent = id_of(mail.mails[0].data)
        (box / "new" / "1").write_bytes(notification(sent, "mallory@example.com"))
        (box / "cur" / "2:2,S").write_bytes(notification("thanks.1.0000", "ada@example.com"))
        (box / "cur" / "3:2,S").write_bytes(b"Subject: hello\r\n\r\nJust me.\r\n")
        assert (
            cli.ok("messages", "bounces", "ingest", str(box)).out
            == "2 of no message of ours, 1 no notifications\n"
        )
        assert message_of(cli)["state"] == "sent"
        (box / "new" / "4").write_bytes(notification(sent, "ada@example.com").replace(b"Message-ID", b"X-Id"))
        refused = cli("messages", "bounces", "ingest", str(box / "new"))
        assert refused.code == 65
        assert "4: does not say which mail it is about" in refused.err
        assert cli("messages", "bounces", "ingest", "nowhere").code == 2


def test_a_mailbox_that_does_not_exist_is_never_tried_again(cli: Cli, folder: Path) -> None:
    """The server's 550 5.1.1 is as good as a bounce."""
    with servers(folder) as (mail, sms):
        mail.unknown = {"ada@example.com"}
        rate(cli, "ada")
        cli.ok("run", "--drain")
        assert len(sms.messages) == 1
        found = message_of(cli)
        assert (found["state"], found["channel"]) == ("sent", "sms")
        assert [one["outcome"] for one in found["delivery_attempts"]] == ["permanent", "sent"]
        assert [one["address"] for one in cli.ok("suppressions", "list", "--json").json] == [
            "ada@example.com"
        ]


@pytest.mark.parametrize("first_is_away", [True, False])
def test_the_second_mail_server_takes_what_the_first_does_not(
    cli: Cli, folder: Path, *, first_is_away: bool
) -> None:
    """It is away, or it refuses the address."""
    (folder / "plugins").mkdir()
    shutil.copy(email_notifier.__file__, folder / "plugins" / "mail_spare.py")
    with RecordingSmtpServer() as spare:
        port = free_port()
        extra = (
            f'[channels.email]\nproviders = ["email_notifier", "mail_spare"]\n'
            f"[plugins.mail_spare]{EMAIL.format(port=spare.port)}"
        )
        with servers(folder, extra) as (mail, sms):
            mail.unknown = {"ada@example.com"}
            if first_is_away:
                config = folder / "config.toml"
                config.write_text(config.read_text().replace(f"port = {mail.port}", f"port = {port}"))
            rate(cli, "ada")
            cli.ok("run", "--drain")
            assert ([one.recipients for one in spare.mails], mail.mails, sms.messages) == (
                [("ada@example.com",)],
                [],
                [],
            )
            tries = message_of(cli)["delivery_attempts"]
            assert [one["provider"] for one in tries] == ["email_notifier", "mail_spare"]
            assert [one["outcome"] for one in tries] == [
                "channel_down" if first_is_away else "permanent",
                "sent",
            ]
    assert rows(folder / "feedback.db", "SELECT count(*) FROM suppressed_address") == [(0,)]
