"""The channel `email` into a Maildir: whole mails, once each, for their owner only."""

from __future__ import annotations

import stat
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import pytest

from feedback_app import ChannelDown
from feedback_app.plugins import email_notifier
from feedback_app.plugins.email_notifier import Settings
from tests.plugins.mail_helpers import message, opened

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> list[str]:
    """Return what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


async def test_maildir_gets_each_message_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """A second send of the same message, as after a crash, leaves one file; folders 0700, files 0600."""
    settings = Settings(maildir=tmp_path / "deep" / "mail")
    async with opened(email_notifier.make_notifier(settings)) as one:
        first, second = await one.send(message()), await one.send(message())
        await one.send(message(2))
    assert (first.detail, second.detail) == ("stored in mail/new", "already stored in mail")
    files = sorted((settings.maildir / "new").iterdir())
    assert [file.name for file in files] == ["thanks-1.feedback-app", "thanks-2.feedback-app"]
    assert not list((settings.maildir / "tmp").iterdir())
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in files}
    assert {0o700} == {
        stat.S_IMODE((settings.maildir / part).stat().st_mode) for part in ("", "tmp", "new", "cur")
    }
    mail = message_from_bytes(files[0].read_bytes(), policy=policy.default)
    assert mail["To"].addresses[0].addr_spec == "anna.smith@example.com"


@pytest.mark.parametrize("flags", ["", "S"])
async def test_a_mail_that_was_read_is_not_delivered_again(flags: str, tmp_path: Path) -> None:
    """A reader moves it to cur and appends flags."""
    async with opened(email_notifier.make_notifier(Settings(maildir=tmp_path))) as one:
        await one.send(message())
        (tmp_path / "new" / "thanks-1.feedback-app").rename(
            tmp_path / "cur" / f"thanks-1.feedback-app:2,{flags}"
        )
        receipt = await one.send(message())
    assert receipt.detail == f"already stored in {tmp_path.name}"
    assert not list((tmp_path / "new").iterdir())


async def test_an_unfinished_mail_of_a_crash_is_replaced(tmp_path: Path) -> None:
    """Half a mail in tmp is never delivered."""
    async with opened(email_notifier.make_notifier(Settings(maildir=tmp_path))) as one:
        (tmp_path / "tmp" / "thanks-1.feedback-app").write_bytes(b"half" * 1000)
        await one.send(message())
    assert b"half" not in (tmp_path / "new" / "thanks-1.feedback-app").read_bytes()


@pytest.mark.parametrize("part", ["new", "tmp"])
async def test_a_maildir_that_cannot_be_written_is_named(part: str, tmp_path: Path) -> None:
    """A file in a folder's place, then a link laid in tmp: the channel is down and nothing else is touched."""
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    folder = tmp_path / "mail"
    async with opened(email_notifier.make_notifier(Settings(maildir=folder))) as one:
        if part == "new":
            (folder / "new").rmdir()
            (folder / "new").write_text("in the way")
        else:
            (folder / "tmp" / "thanks-1.feedback-app").symlink_to(victim)
        with pytest.raises(ChannelDown, match=f"cannot write to the Maildir {folder}: "):
            await one.send(message())
    assert victim.read_text() == "untouched"


async def test_ids_that_are_no_file_names_stay_inside_the_folder(tmp_path: Path) -> None:
    """Paths, dot files and overlong ids become fingerprints."""
    folder = tmp_path / "mail"
    async with opened(email_notifier.make_notifier(Settings(maildir=folder))) as one:
        for hostile in ("../../escape", ".hidden", "x" * 300, "a/b"):
            await one.send(message(message_id=hostile))
    assert names(tmp_path) == ["mail"]
    assert len(names(folder / "new")) == 4
