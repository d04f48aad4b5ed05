"""Secrets are shown nowhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from feedback_app.settings import load_settings
from feedback_app.settings.redaction import HIDDEN, redact, redact_url

if TYPE_CHECKING:
    from pathlib import Path

    from tests.settings.conftest import Problems

CANARY = "hunter2"


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "Password",
        "smtp_passwd",
        "passphrase",
        "auth_token",
        "api_key",
        "client_secret",
        "credentials",
    ],
)
def test_a_key_with_a_secret_name_is_hidden(key: str) -> None:
    """In a table, in a table within, and in a list of tables."""
    table = {key: CANARY, "deep": {key: CANARY}, "many": [{key: [CANARY]}], "host": "h"}
    hidden = {key: HIDDEN, "deep": {key: HIDDEN}, "many": [{key: HIDDEN}], "host": "h"}

    assert {"plugins": {"x": hidden}} == redact({"plugins": {"x": table}})


def test_names_of_plugins_and_files_are_no_secrets() -> None:
    """Of a plugin called auth_notifier the table is shown, and of a secret's file the path."""
    tables = {"plugins": {"auth_notifier": {"host": "h", "password_file": "/run/x"}}}

    assert tables == redact(tables)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://me:hunter2@host/db", "postgresql+psycopg://me:***@host/db"),
        ("smtp://me@example.org:hun@ter/2@host", "smtp://me@example.org:***@host"),
        ("https://:hunter2@host", "https://:***@host"),
        ("https://host/x?a=1&api_key=hunter2&b=2", "https://host/x?a=1&api_key=***&b=2"),
        ("https://host:8000/path", "https://host:8000/path"),
        ("sqlite:////var/lib/x.db", "sqlite:////var/lib/x.db"),
        ("me@example.org", "me@example.org"),
    ],
)
def test_the_secrets_of_a_url_are_hidden(url: str, shown: str) -> None:
    """Passwords, and parameters with a secret name; all else can still be told."""
    assert shown == redact_url(url)


def test_settings_show_everything_but_secrets(tmp_path: Path) -> None:
    """The form is that of the file, fit for JSON."""
    (tmp_path / "config.toml").write_text(
        f"[plugins.sms_notifier]\nauth_token = '{CANARY}'\nurl = 'https://me:{CANARY}@h'\n"
        "since = 2024-01-01\n",
        encoding="utf-8",
    )
    settings = load_settings(environ={"FEEDBACK_APP_PLUGINS__X__PASSWORD": CANARY}, directory=tmp_path)

    shown = settings.redacted()

    assert shown["plugins"]["sms_notifier"] == {
        "auth_token": "***",
        "url": "https://me:***@h",
        "since": "2024-01-01",
    }
    assert shown["delivery"] == {
        "workers": 16,
        "max_attempts": 10,
        "backoff_initial": "30s",
        "backoff_maximum": "1h",
    }
    assert CANARY not in json.dumps(shown)


@pytest.mark.parametrize(
    "text",
    [
        f"password = '{CANARY}'",
        f"[delivery]\npassword = '{CANARY}'",
        f"[delivery]\nworkers = 'https://me:{CANARY}@h'",
        f"[plugins]\npassword = '{CANARY}'",
        f"[plugins]\nemail_notifier = 'smtp://me:{CANARY}@h'",
        f"[store]\nurl = 'mysql://me:{CANARY}@h/db'",
        f"[plugins.email_notifier]\npassword = '{CANARY}",
        f"[plugins.email_notifier]\npassword = {CANARY}",
        f"[delivery]\nworkers = {{password = '{CANARY}'}}",
        f"[delivery]\nworkers = ['{CANARY}']",
    ],
)
def test_no_error_tells_a_secret(problems: Problems, text: str) -> None:
    """Errors end up in logs and in tickets."""
    found = problems(text)

    assert found
    assert CANARY not in "\n".join(found)


def test_no_error_tells_a_recipient(problems: Problems) -> None:
    """Addresses are personal; the index says which one is meant."""
    assert "rosa" not in "".join(problems("[reports.daily]\nto = ['rosa@@example.org']"))


def test_the_urls_of_services_are_secrets_as_a_whole(tmp_path: Path) -> None:
    """Their tokens stand in the path, where no rule could find them."""
    (tmp_path / "config.toml").write_text(
        f'[plugins.apprise_notifier]\nurls = {{ team = "slack://{CANARY}/B/C" }}\nschemas = ["tgram"]\n'
    )
    shown = load_settings(environ={}, directory=tmp_path).redacted()

    assert shown["plugins"]["apprise_notifier"] == {"urls": "***", "schemas": ["tgram"]}
