"""Environment variables override files, in TOML's own notation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from feedback_app.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.settings.conftest import Problems


def load(tmp_path: Path, text: str = "", **environ: str) -> Settings:
    """Load a configuration file together with an environment."""
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    return load_settings(environ=environ, directory=tmp_path)


def test_a_variable_overrides_the_file(tmp_path: Path) -> None:
    """Numbers, flags, lists, text: each is read as the file would have it."""
    settings = load(
        tmp_path,
        "[delivery]\nworkers = 3\n",
        FEEDBACK_APP_DELIVERY__WORKERS="8",
        FEEDBACK_APP_PIPELINE__THANK_LOW_RATINGS="true",
        FEEDBACK_APP_PLUGINS__DISABLED='["sms_notifier"]',
        FEEDBACK_APP_STORE__URL="sqlite:///x.db",
        FEEDBACK_APP_INTAKE__POLL_INTERVAL="2s",
        FEEDBACK_APP_REPORTS__DAILY__TO='["team@example.org"]',
        FEEDBACK_APP_REPORTS__DAILY__AT="09:15",
        FEEDBACK_APP_CHANNELS__EMAIL__PROVIDERS='["a", "b"]',
    )

    assert settings.delivery.workers == 8
    assert settings.pipeline.thank_low_ratings is True
    assert settings.plugins.disabled == ("sms_notifier",)
    assert tmp_path / "x.db" == settings.store_path
    assert settings.intake.poll_interval == 2.0
    assert (settings.reports["daily"].to, settings.reports["daily"].at) == (("team@example.org",), "09:15")
    assert settings.channels["email"].providers == ("a", "b")


@pytest.mark.parametrize(
    ("written", "name"),
    [("2024", "2024"), ("Rosa's", "Rosa's"), ('"In quotes"', "In quotes"), ("true", "true"), ("[x]", "[x]")],
)
def test_keys_for_text_take_any_text(tmp_path: Path, written: str, name: str) -> None:
    """A shop may be called 2024 without quotes in quotes."""
    assert name == load(tmp_path, FEEDBACK_APP_BUSINESS__NAME=written).business.name


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("PASSWORD", "12345", "12345"),
        ("PASSWORD", '"quoted"', '"quoted"'),
        ("AUTH_TOKEN", "true", "true"),
        ("PASSWORD", "a#b = 'c", "a#b = 'c"),
        ("PORT", "587", 587),
        ("SENDER", "+4915112345678", "+4915112345678"),
        ("SENDER", '"12345"', "12345"),
        ("SENDER", "a@example.org", "a@example.org"),
        ("SENDER", "", ""),
        ("SENDER", "1\nother = 2", "1\nother = 2"),
        ("HOSTS", '["a", "b"]', ["a", "b"]),
        ("PASSWORD_FILE", "/run/secret", "/run/secret"),
    ],
)
def test_a_plugins_own_keys_take_toml_or_text_and_secrets_as_they_are(
    tmp_path: Path, key: str, written: str, value: Any
) -> None:
    """What a plugin wants is not known yet; a password is never taken for anything else."""
    settings = load(tmp_path, **{f"FEEDBACK_APP_PLUGINS__EMAIL_NOTIFIER__{key}": written})

    assert {"email_notifier": {key.lower(): value}} == settings.plugins.tables


def test_an_underscore_reaches_a_name_with_a_hyphen(tmp_path: Path) -> None:
    """No shell can set a variable with a hyphen in its name."""
    settings = load(tmp_path, "[reports.weekly-team]\n", FEEDBACK_APP_REPORTS__WEEKLY_TEAM__AT="09:00")

    assert list(settings.reports) == ["daily", "weekly-team"]
    assert settings.reports["weekly-team"].at == "09:00"


@pytest.mark.parametrize(
    ("variable", "written", "line"),
    [
        ("DELIVERY__WORKERS", "0", ": must be at least 1, got 0"),
        ("DELIVERY__WORKERS", "eight", ": must be a whole number, got 'eight'"),
        ("DELIVERY__WRKERS", "1", ": unknown key, did you mean 'workers'?"),
        ("DELIVRY__WORKERS", "1", ": unknown table, did you mean 'delivery'?"),
        (
            "DELIVERY__",
            "1",
            ": unknown key; allowed are workers, max_attempts, backoff_initial, backoff_maximum",
        ),
        ("DELIVERY__WORKERS__X", "1", ": must be a whole number, got a table"),
        ("RATING__MINIMUM", "7", ": [rating] maximum: must be above minimum (7), got 5 (the default)"),
        ("DAEMON__GRACE", "30", ': must be a duration with its unit, such as "30s", got 30'),
        ("PLUGINS__DISABLED", "sms", ': must be a list, such as ["a", "b"], got \'sms\''),
        (
            "REPORTS__DAILY__TO",
            '["team"]',
            "[0]: must be one plain e-mail address (An email address must have an @-sign)",
        ),
        ("BUSINESS__NAME", "Caf\udce9", ": not UTF-8"),
        ("PLUGINS__X" + "__Y" * 50, "1", ": tables or lists are nested too deeply"),
        ("PLUGINS__X__Y", "[" * 50 + "]" * 50, ": tables or lists are nested too deeply"),
    ],
)
def test_a_wrong_variable_is_named(problems: Problems, variable: str, written: str, line: str) -> None:
    """The line begins with the variable, not with a file that does not hold it."""
    name = f"FEEDBACK_APP_{variable}"
    assert (f"{name}{line}",) == problems("", **{name: written})


def test_other_variables_are_none_of_its_business(problems: Problems) -> None:
    """Only a double underscore makes a setting; a few names are the program's own."""
    assert (
        problems(
            "",
            FEEDBACK_APP_CONFIG="config.toml",
            FEEDBACK_APP_TEST_REQUIRE="all",
            FEEDBACK_APP_DEBUG="1",
            FEEDBACK_APP_X="1",
            OTHER__X="1",
        )
        == ()
    )


def test_the_value_of_a_file_is_not_blamed_on_a_variable(problems: Problems) -> None:
    """A variable may touch a table whose other keys are wrong in the file."""
    found = problems("[delivery]\nworkers = 0\n", FEEDBACK_APP_DELIVERY__MAX_ATTEMPTS="5")

    assert found == ("config.toml: [delivery] workers: must be at least 1, got 0",)


def test_a_variable_replaces_a_broken_value_of_the_file(tmp_path: Path) -> None:
    """What is overridden does not count."""
    assert (
        load(tmp_path, "[delivery]\nworkers = 0\n", FEEDBACK_APP_DELIVERY__WORKERS="5").delivery.workers == 5
    )
