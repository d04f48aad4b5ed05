"""Every wrong configuration gets its exact line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from feedback_app.errors import BadConfig

if TYPE_CHECKING:
    from tests.settings.conftest import Problems

DURATION = 'must be a duration with its unit, such as "500ms", "30s", "5m" or "1h30m"'
NAME = "must be a name: a small letter, then small letters, digits, _ or -"
TABLES = (
    "[rating], [pipeline], [store], [intake], [delivery], [daemon], [business], [templates], "
    "[plugins], [channels], [limits], [reports], [backup], [retention], [metrics]"
)
DELIVERY = "workers, max_attempts, backoff_initial, backoff_maximum"
PLAIN = "must be one plain e-mail address"
NO_DISPLAY_NAME = "A display name and angle brackets around the email address are not permitted here"
NO_LINE_BREAK = "The part after the @-sign contains invalid characters: ':', '@', SPACE, U+000A, U+000D"
NO_ZONE = "[reports.daily] timezone: must be a time zone, got"
POSTGRESQL = 'write "postgresql+psycopg://user@host/database"'
REGION = 'write the name of a region and city, such as "Europe/Berlin"'
URL = 'write "sqlite:///feedback.db", or "sqlite:////var/lib/feedback.db" for an absolute path'
NO_LEDGERS = [
    "feedback.db",
    "sqlite:feedback.db",
    "sqlite://",
    "sqlite:///",
    "sqlite:///:memory:",
    "sqlite:///a?mode=ro",
    "sqlite:///a/",
    "sqlite+aiosqlite:///a",
    "mysql://h/db",
]

REFUSALS = [  # table, its content, the line behind "config.toml: "
    # types
    ("delivery", "workers = '5'", "[delivery] workers: must be a whole number, got '5'"),
    ("delivery", "workers = 5.0", "[delivery] workers: must be a whole number, got 5.0"),
    ("delivery", "workers = true", "[delivery] workers: must be a whole number, got true"),
    ("delivery", "workers = [5]", "[delivery] workers: must be a whole number, got a list"),
    ("delivery", "workers = {}", "[delivery] workers: must be a whole number, got a table"),
    ("delivery", "workers = 2024-01-01", "[delivery] workers: must be a whole number, got 2024-01-01"),
    ("rating", "minimum = '1'", "[rating] minimum: must be a number, got '1'"),
    ("rating", "low_below = nan", "[rating] low_below: must be a number, got nan"),
    ("rating", "maximum = inf", "[rating] maximum: must be a number, got inf"),
    (
        "pipeline",
        "thank_low_ratings = 'yes'",
        "[pipeline] thank_low_ratings: must be true or false, got 'yes'",
    ),
    ("pipeline", "thank_low_ratings = 1", "[pipeline] thank_low_ratings: must be true or false, got 1"),
    ("business", "name = 5", "[business] name: must be text in quotes, got 5"),
    ("plugins", "required = 'x'", '[plugins] required: must be a list, such as ["a", "b"], got \'x\''),
    ("plugins", "required = [1]", "[plugins] required[0]: must be text in quotes, got 1"),
    ("", "delivery = 5", "[delivery]: must be a table, got 5"),
    ("", "reports = [1]", "[reports]: must be a table, got a list"),
    ("reports", "daily = 5", "[reports] daily: must be a table, got 5"),
    ("", "[[delivery]]", "[delivery]: must be a table, got a list"),
    # bounds
    ("delivery", "workers = 0", "[delivery] workers: must be at least 1, got 0"),
    ("delivery", "workers = -1", "[delivery] workers: must be at least 1, got -1"),
    ("pipeline", "workers = 10000", "[pipeline] workers: must be at most 1000, got 10000"),
    ("delivery", "max_attempts = 0", "[delivery] max_attempts: must be at least 1, got 0"),
    ("delivery", "max_attempts = 1001", "[delivery] max_attempts: must be at most 1000, got 1001"),
    ("reports.daily", "catch_up = -1", "[reports.daily] catch_up: must be at least 0, got -1"),
    # the scale
    ("rating", "minimum = 5", "[rating] maximum: must be above minimum (5), got 5 (the default)"),
    ("rating", "minimum = 9\nmaximum = 3", "[rating] maximum: must be above minimum (9), got 3"),
    ("rating", "step = 0", "[rating] step: must be above 0, got 0"),
    ("rating", "step = -1", "[rating] step: must be above 0, got -1"),
    ("rating", "step = 0.3", "[rating] step: must lead from 1 to 5 in whole steps, got 0.3"),
    ("rating", "step = 3", "[rating] step: must lead from 1 to 5 in whole steps, got 3"),
    ("rating", "low_below = 0", "[rating] low_below: must be from 1 to 6, got 0"),
    ("rating", "low_below = 6.5", "[rating] low_below: must be from 1 to 6, got 6.5"),
    ("rating", "maximum = 1e300", "[rating] maximum: must be at most 1000000.0, got 1e+300"),
    # durations
    ("intake", "poll_interval = '5 minuts'", f"[intake] poll_interval: {DURATION}, got '5 minuts'"),
    ("intake", "poll_interval = ''", f"[intake] poll_interval: {DURATION}, got ''"),
    (
        "daemon",
        "grace = 30",
        '[daemon] grace: must be a duration with its unit, such as "30s", got 30',
    ),
    ("intake", "poll_interval = '50ms'", "[intake] poll_interval: must be from 100ms to 1h, got '50ms'"),
    ("intake", "poll_interval = '2h'", "[intake] poll_interval: must be from 100ms to 1h, got '2h'"),
    ("metrics", "interval = '2h'", "[metrics] interval: must be from 1s to 1h, got '2h'"),
    (
        "metrics",
        "textfile = 'metrics.txt'",
        "[metrics] textfile: must end with .prom, or node_exporter leaves it alone, got 'metrics.txt'",
    ),
    ("daemon", "grace = '2h'", "[daemon] grace: must be from 0s to 1h, got '2h'"),
    ("delivery", "backoff_initial = '0s'", "[delivery] backoff_initial: must be from 1ms to 30d, got '0s'"),
    ("delivery", "backoff_maximum = '400d'", "[delivery] backoff_maximum: must be at most 366d, got '400d'"),
    (
        "delivery",
        "backoff_initial = '2h'",
        "[delivery] backoff_maximum: must be at least backoff_initial (2h), got '1h' (the default)",
    ),
    # text and paths
    ("business", 'name = "a\\nb"', "[business] name: must be one line of text, not empty, got 'a\\nb'"),
    ("business", "name = ' '", "[business] name: must be one line of text, not empty, got ' '"),
    ("templates", "directory = ''", "[templates] directory: must be a path, not empty, got ''"),
    ("plugins", 'directory = "a\\u0000"', "[plugins] directory: must be a path, not empty, got 'a\\x00'"),
    # the ledger
    (
        "store",
        "url = 'postgresql+psycopg://u:hunter2@h'",
        f"[store] url: must name a host and a database, got 'postgresql+psycopg://u:***@h'; {POSTGRESQL}",
    ),
    (
        "store",
        "url = 'postgres://h/db'",
        f"[store] url: must begin with postgresql+psycopg://, got 'postgres://h/db'; {POSTGRESQL}",
    ),
    *(
        (
            "store",
            f"url = '{url}'",
            f"[store] url: must be sqlite:/// and the path of a file, got '{url}'; {URL}",
        )
        for url in ("", *NO_LEDGERS)
    ),
    # reports
    (
        "reports.daily",
        "at = '25:00'",
        '[reports.daily] at: must be a time from "00:00" to "23:59", got \'25:00\'',
    ),
    (
        "reports.daily",
        "at = '8:00'",
        '[reports.daily] at: must be a time from "00:00" to "23:59", got \'8:00\'',
    ),
    ("reports.daily", "at = 08:00:00", "[reports.daily] at: must be text in quotes, got 08:00:00"),
    (
        "reports.daily",
        "timezone = 'Berlin'",
        "[reports.daily] timezone: must be a time zone, got 'Berlin'; did you mean 'Europe/Berlin'?",
    ),
    (
        "reports.daily",
        "timezone = 'europe/berlin'",
        "[reports.daily] timezone: must be a time zone, got 'europe/berlin'; did you mean 'Europe/Berlin'?",
    ),
    (
        "reports.daily",
        "timezone = 'new york'",
        "[reports.daily] timezone: must be a time zone, got 'new york'; did you mean 'America/New_York'?",
    ),
    (
        "reports.daily",
        "timezone = 'Europe/Viena'",
        "[reports.daily] timezone: must be a time zone, got 'Europe/Viena'; did you mean 'Europe/Vienna'?",
    ),
    *(
        (
            "reports.daily",
            f"timezone = '{zone}'",
            f"{NO_ZONE} '{zone}'; {REGION}",
        )
        for zone in ["", "+02:00", "../../etc/passwd", "Europe"]
    ),
    (
        "reports.daily",
        "to = ['a@example.org', 'Team <b@example.org>']",
        f"[reports.daily] to[1]: {PLAIN} ({NO_DISPLAY_NAME})",
    ),
    (
        "reports.daily",
        'to = ["a@example.org\\r\\nBcc: b@example.org"]',
        f"[reports.daily] to[0]: {PLAIN} ({NO_LINE_BREAK})",
    ),
    (
        "reports.daily",
        "to = ['team']",
        f"[reports.daily] to[0]: {PLAIN} (An email address must have an @-sign)",
    ),
    (
        "reports.daily",
        "to = ['a@example.org', 'b@example.org', 'a@example.org']",
        "[reports.daily] to: must not repeat itself: entry 2 is entry 0 again",
    ),
    (
        "reports.daily",
        'channel = "sms"\nto = ["+49151\\n"]',
        "[reports.daily] to[0]: must be one line of text, not empty, got '+49151\\n'",
    ),
    # names
    ("reports", "'weekly team' = {}", f"[reports] 'weekly team': {NAME}"),
    ("channels", "Fax = {providers = ['a']}", f"[channels] Fax: {NAME}"),
    ("plugins", "'9lives' = {}", f"[plugins] 9lives: {NAME}"),
    ("plugins", "disabled = ['My Plugin']", f"[plugins] disabled[0]: {NAME}, got 'My Plugin'"),
    ("reports.daily", "channel = ''", f"[reports.daily] channel: {NAME}, got ''"),
    # lists of plugins
    (
        "plugins",
        "disabled = ['a', 'a']",
        "[plugins] disabled: must not repeat itself: entry 1 is entry 0 again",
    ),
    (
        "plugins",
        "disabled = ['a']\nrequired = ['b', 'a']",
        "[plugins] required: must not name 'a', which is disabled",
    ),
    ("channels.email", "", "[channels.email] providers: is required"),
    ("channels.email", "providers = []", "[channels.email] providers: must not be empty"),
    # what there is not
    ("delivery", "wrkers = 1", "[delivery] wrkers: unknown key, did you mean 'workers'?"),
    (
        "delivery",
        "colour = 1",
        f"[delivery] colour: unknown key; allowed are {DELIVERY}",
    ),
    ("reports.daily", "timezon = 'UTC'", "[reports.daily] timezon: unknown key, did you mean 'timezone'?"),
    ("channels.email", "providers = ['a']\nx = 1", "[channels.email] x: unknown key; allowed are providers"),
    ("plugins", "directry = 'x'", "[plugins] directry: unknown key, did you mean 'directory'?"),
    ("delivry", "", "[delivry]: unknown table, did you mean 'delivery'?"),
    ("colours", "", f"[colours]: unknown table; allowed are {TABLES}"),
    (
        "delivery.email",
        "",
        f"[delivery.email]: unknown table; allowed are {DELIVERY}",
    ),
    ("", "workers = 5", "workers: stands in no table, it belongs below [pipeline] or [delivery]"),
    ("", "colour = 5", f"colour: unknown key; tables are {TABLES}"),
    (
        "delivery",
        '"a\\nb" = 5',
        f"[delivery] 'a\\nb': unknown key; allowed are {DELIVERY}",
    ),
    (
        "business",
        f"name = '{'long ' * 99}\u202e'",
        f"[business] name: must be one line of text, not empty, got '{'long ' * 11}long…",
    ),
]


@pytest.mark.parametrize(("table", "content", "line"), REFUSALS, ids=[line[:70] for _, _, line in REFUSALS])
def test_a_wrong_setting_gets_one_line(problems: Problems, table: str, content: str, line: str) -> None:
    """The line says what, where, the value and what is allowed."""
    header = f"[{table}]\n" if table else ""
    assert (f"config.toml: {line}",) == problems(f"{header}{content}\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a =", "config.toml:1:4: not valid TOML: invalid value"),
        ("[rating]\nminimum = 1\nlow_below == 3", "config.toml:3:12: not valid TOML: invalid value"),
        (
            "[rating]\nstep = 1\nstep = 1\n",
            "config.toml:3:9: not valid TOML: cannot overwrite a value; the key is given above already",
        ),
        (
            "[delivery\nworkers = 1",
            "config.toml:1:10: not valid TOML: expected ']' at the end of a table declaration",
        ),
        ("x = " + "9" * 5000, "config.toml: not valid TOML: a number is too long"),
        ("x = " + "[" * 5000, "config.toml: tables or lists are nested too deeply"),
        ("x" + ".x" * 5000 + " = 1", "config.toml: tables or lists are nested too deeply"),
    ],
)
def test_a_syntax_error_is_said_with_its_place(problems: Problems, text: str, line: str) -> None:
    """An editor can jump to file:line:column."""
    assert (line,) == problems(text)


def test_all_problems_come_at_once(problems: Problems) -> None:
    """Whoever mends a configuration sees the whole work."""
    found = problems(
        "[delivery]\nworkers = 0\nwrkers = 1\n[rating]\nstep = 0\n[reports.daily]\nat = '24:00'\n",
        FEEDBACK_APP_PIPELINE__WORKERS="0",
        FEEDBACK_APP_PIPELIN__WORKERS="1",
    )

    assert len(found) == 6
    assert {"config.toml", "FEEDBACK_APP_PIPELINE__WORKERS", "FEEDBACK_APP_PIPELIN__WORKERS"} == {
        line.partition(":")[0] for line in found
    }


def test_a_bad_configuration_ends_with_its_own_exit_code() -> None:
    """Supervisors do not restart on 78 (sysexits.h: EX_CONFIG)."""
    assert BadConfig("config.toml: anything").exit_code == 78
