"""Where settings are found, and how files and defaults come together."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from feedback_app.errors import BadConfig
from feedback_app.settings import files, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator


def write(path: Path, text: str) -> Path:
    """Write a configuration, its folder included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def named(name: str) -> str:
    """Return a configuration that can be told from others."""
    return f'[business]\nname = "{name}"\n'


@pytest.fixture
def system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for /etc, which tests leave alone."""
    path = tmp_path / "etc" / "config.toml"
    monkeypatch.setattr(files, "SYSTEM_FILE", path)
    return path


def test_without_any_file_the_defaults_hold(tmp_path: Path, system_file: Path) -> None:
    """The first run needs no configuration."""
    settings = load_settings(environ={}, directory=tmp_path)

    assert settings.files == ()
    assert tmp_path == settings.directory
    assert (
        settings.pipeline.workers,
        settings.delivery.workers,
        settings.delivery.backoff_initial,
        settings.delivery.backoff_maximum,
    ) == (64, 16, 30.0, 3600.0)
    assert tmp_path / "feedback.db" == settings.store_path


def test_the_first_file_of_the_usual_places_is_taken(tmp_path: Path, system_file: Path) -> None:
    """FEEDBACK_APP_CONFIG, the working directory, XDG, /etc: in this order, and one is read."""
    work = tmp_path / "work"
    work.mkdir()
    environ = {
        "FEEDBACK_APP_CONFIG": str(write(tmp_path / "asked.toml", named("asked"))),
        "XDG_CONFIG_HOME": str(tmp_path / "xdg"),
    }
    here = write(work / "config.toml", named("here"))
    xdg = write(tmp_path / "xdg" / "feedback_app" / "config.toml", named("xdg"))
    write(system_file, named("system"))

    def found() -> str:
        return load_settings(environ=environ, directory=work).business.name

    assert found() == "asked"
    del environ["FEEDBACK_APP_CONFIG"]
    assert found() == "here"
    here.unlink()
    assert found() == "xdg"
    xdg.unlink()
    assert found() == "system"


def test_without_xdg_the_users_file_is_in_dot_config(tmp_path: Path, system_file: Path) -> None:
    """XDG_CONFIG_HOME defaults to ~/.config, and a relative one is ignored."""
    write(tmp_path / "home" / ".config" / "feedback_app" / "config.toml", named("home"))
    (tmp_path / "work").mkdir()

    for xdg in ({}, {"XDG_CONFIG_HOME": ""}, {"XDG_CONFIG_HOME": "relative"}):
        environ = {"HOME": str(tmp_path / "home"), **xdg}
        assert load_settings(environ=environ, directory=tmp_path / "work").business.name == "home"


def test_later_files_win_key_by_key(tmp_path: Path) -> None:
    """A second file changes what it names and nothing else; relative paths start at the last one."""
    first = write(
        tmp_path / "a" / "base.toml",
        "[delivery]\nworkers = 3\nmax_attempts = 4\n"
        "[plugins]\ndisabled = ['x']\n[plugins.email_notifier]\nport = 25\nhost = 'h'\n",
    )
    second = write(
        tmp_path / "b" / "site.toml",
        "[delivery]\nworkers = 5\n[plugins]\ndisabled = ['y']\n[plugins.email_notifier]\nport = 587\n",
    )

    settings = load_settings(first, str(second), environ={})

    assert (settings.delivery.workers, settings.delivery.max_attempts) == (5, 4)
    assert settings.plugins.disabled == ("y",)
    assert settings.plugins.tables == {"email_notifier": {"port": 587, "host": "h"}}
    assert (first, second) == settings.files
    assert tmp_path / "b" == settings.directory
    assert str(first) == settings.origins["delivery", "max_attempts"].name
    assert str(second) == settings.origins["delivery", "workers"].name


def test_a_problem_names_the_file_that_holds_the_value(tmp_path: Path) -> None:
    """With two files one must know which to edit."""
    write(tmp_path / "a.toml", "[delivery]\nworkers = 0\n")
    write(tmp_path / "b.toml", "[delivery]\nmax_attempts = 0\n")

    with pytest.raises(BadConfig) as caught:
        load_settings("a.toml", "b.toml", environ={}, directory=tmp_path)

    assert caught.value.problems == (
        "a.toml: [delivery] workers: must be at least 1, got 0",
        "b.toml: [delivery] max_attempts: must be at least 1, got 0",
    )


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    """The program may be started from anywhere."""
    text = (
        "[store]\nurl = 'sqlite:///data/x.db'\n[templates]\ndirectory = '../t'\n[plugins]\ndirectory = '/p'\n"
    )
    write(tmp_path / "conf" / "config.toml", text)

    settings = load_settings("conf/config.toml", environ={}, directory=tmp_path)

    assert tmp_path / "conf" / "data" / "x.db" == settings.store_path
    assert tmp_path / "conf" / ".." / "t" == settings.templates_directory
    assert Path("/p") == settings.plugins_directory


def test_four_slashes_begin_an_absolute_path(tmp_path: Path) -> None:
    """As in SQLAlchemy's URLs."""
    write(tmp_path / "config.toml", "[store]\nurl = 'sqlite:////var/lib/x.db'\n")

    assert Path("/var/lib/x.db") == load_settings(environ={}, directory=tmp_path).store_path


def test_the_daily_report_is_always_there(tmp_path: Path) -> None:
    """Adding a report takes none away."""
    write(tmp_path / "config.toml", "[reports.weekly-team]\nat = '18:30'\ntimezone = 'Europe/Vienna'\n")

    reports = load_settings(environ={}, directory=tmp_path).reports

    assert list(reports) == ["daily", "weekly-team"]
    assert (
        reports["daily"].at,
        reports["daily"].timezone,
        reports["daily"].to,
        reports["daily"].catch_up,
    ) == ("08:00", "UTC", (), 7)
    assert (reports["weekly-team"].time_of_day.hour, reports["weekly-team"].time_of_day.minute) == (18, 30)
    assert ZoneInfo("Europe/Vienna") == reports["weekly-team"].zone


def test_settings_are_frozen(tmp_path: Path) -> None:
    """Nobody changes the configuration under another's feet."""
    settings = load_settings(environ={}, directory=tmp_path)

    with pytest.raises(ValidationError, match="frozen"):
        settings.delivery.workers = 1


def test_an_empty_file_and_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    """Neither an empty file nor what editors on Windows write is a mistake."""
    (tmp_path / "config.toml").write_bytes(b"")
    assert load_settings(environ={}, directory=tmp_path).pipeline.workers == 64

    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf[pipeline]\r\nworkers = 2\r\n")
    assert load_settings(environ={}, directory=tmp_path).pipeline.workers == 2


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """Each kind of it has its own line, and one does not hide the next."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "latin.toml").write_bytes(b"[business]\nname = 'Caf\xe9'\n")
    (tmp_path / "loop").symlink_to("loop")
    names = ["absent.toml", "folder", "fifo", "/dev/null", "latin.toml", "latin.toml/x", "loop", "a\0b"]

    with pytest.raises(BadConfig) as caught:
        load_settings(*names, environ={}, directory=tmp_path)

    assert caught.value.problems == (
        "absent.toml: cannot be read: no such file; feedback-app init writes one to start from",
        "folder: is a directory, a configuration is a file",
        "fifo: is a FIFO, a configuration is a file",
        "/dev/null: is a device or socket, a configuration is a file",
        "latin.toml: not UTF-8 at byte 22; save the file as UTF-8",
        "latin.toml/x: cannot be read: not a directory",
        "loop: cannot be read: too many levels of symbolic links",
        "'a\\x00b': cannot be read: a file's name holds no NUL character",
    )


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Be nobody where the tests run as root, who may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o755, 0), (0, 0o644)])
def test_a_file_without_permission_is_said(ordinary_user: None, folder_mode: int, file_mode: int) -> None:
    """Also where it was only found and not asked for: a forbidden folder is not passed over."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "config.toml", "").chmod(file_mode)
        folder.chmod(folder_mode)
        try:
            with pytest.raises(BadConfig, match=r"^config.toml: cannot be read: permission denied$"):
                load_settings(environ={}, directory=folder)
        finally:
            folder.chmod(0o700)


def test_a_configuration_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    """A misspelt FEEDBACK_APP_CONFIG does not fall through to other places."""
    write(tmp_path / "config.toml", "")

    with pytest.raises(BadConfig, match=r"^absent.toml: cannot be read: no such file"):
        load_settings(environ={"FEEDBACK_APP_CONFIG": "absent.toml"}, directory=tmp_path)


@pytest.mark.parametrize(
    ("mode", "text", "warned"),
    [
        (0o644, "[plugins.email_notifier]\npassword = 'hunter2'\n", "plugins.email_notifier.password"),
        (0o640, "[plugins.sms_notifier]\nauth_token = 'hunter2'\n", "plugins.sms_notifier.auth_token"),
        (0o604, "[plugins.webhook]\nurl = 'https://me:hunter2@example.org'\n", "plugins.webhook.url"),
        (0o600, "[plugins.email_notifier]\npassword = 'hunter2'\n", None),
        (0o644, "[plugins.email_notifier]\npassword_file = 'smtp'\n", None),
        (0o644, "[plugins.auth_notifier]\nhost = 'h'\n", None),
        (0o644, "[plugins.email_notifier]\npassword = ''\n", None),
    ],
)
def test_secrets_in_a_file_for_all_eyes_are_warned_of(
    tmp_path: Path, mode: int, text: str, warned: str | None
) -> None:
    """A warning and no error: in some deployments the group is the daemon's own."""
    write(tmp_path / "config.toml", text).chmod(mode)

    warnings = load_settings(environ={}, directory=tmp_path).warnings

    line = f"holds a secret ({warned}) and others than its owner can read it; run: chmod 600 config.toml"
    assert warnings == ((f"config.toml: {line}",) if warned else ())
