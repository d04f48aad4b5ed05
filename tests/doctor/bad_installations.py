"""Faults of the configuration, the machine, plugins and templates, with what is found and what mends it."""

from __future__ import annotations

import contextlib
import resource
import sys
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_app.doctor import configuration
from tests.doctor.planting import Plant, Planted, config, file, mail_at, simple
from tests.servers import LOOPBACK, free_port


def secret_file(content: bytes, mode: int = 0o600) -> Plant:
    """Keep the mail server's password in a file."""

    def plant(folder: Path) -> None:
        file = folder / "smtp-password"
        file.write_bytes(content)
        file.chmod(mode)
        login = 'username = "feedback"\npassword_file = "smtp-password"'
        config(mail_at(LOOPBACK, free_port(), login))(folder).__enter__()

    return simple(plant)


@contextlib.contextmanager
def hasty_unit(folder: Path) -> Iterator[None]:
    """Install a unit whose systemd is less patient than the daemon."""
    units = folder / "units"
    units.mkdir()
    (units / "feedback-app.service").write_text("[Service]\nTimeoutStopSec=20s\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(configuration, "UNITS", (units,))
        yield


@contextlib.contextmanager
def few_files(folder: Path) -> Iterator[None]:
    """Allow fewer open files than a thousand workers need."""
    (folder / "config.toml").write_text("[delivery]\nworkers = 1000\n")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextlib.contextmanager
def no_time_zones(_folder: Path) -> Iterator[None]:
    """Take the database of time zones away, the package's too."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("tzdata", *(one for one in sys.modules if one.startswith("tzdata."))):
            patch.setitem(sys.modules, name, None)
        zoneinfo.reset_tzpath(to=())
        try:
            yield
        finally:
            zoneinfo.reset_tzpath()


PLANTED: dict[str, Planted] = {
    # the configuration
    "a slip in a key": (
        config("[delivery]\nworker = 4\n"),
        "problem",
        "config.toml: [delivery] worker: unknown key, did you mean 'workers'?",
        "edit {dir}/config.toml; `feedback-app config check` checks it",
    ),
    "no TOML": (
        config("[delivery\n"),
        "problem",
        "config.toml:1:10: not valid TOML",
        "edit config.toml",
    ),
    "a secret for all to read": (
        config('[plugins.sms_notifier]\nauth_token = "canary-token"\n', 0o644),
        "warning",
        "config.toml: holds a secret (plugins.sms_notifier.auth_token) and others than its owner can read it",
        "chmod 600 config.toml",
    ),
    "a configuration for all to write": (
        config("", 0o666),
        "problem",
        "{dir}/config.toml: anybody on this machine can change it",
        "chmod o-w {dir}/config.toml",
    ),
    "a secret's file for all to read": (
        secret_file(b"canary-password\n", 0o644),
        "warning",
        "email_notifier.password_file: {dir}/smtp-password can be read by others than its owner",
        "chmod 600 {dir}/smtp-password",
    ),
    "a secret's file with blanks": (
        secret_file(b"canary-password \r\n"),
        "warning",
        "email_notifier.password_file: {dir}/smtp-password has blanks around the secret",
        "write it anew, with one line and nothing else: {dir}/smtp-password",
    ),
    "a secret's file with nothing in it": (
        secret_file(b""),
        "problem",
        "password_file: {dir}/smtp-password is empty",
        "write the password into it",
    ),
    # the machine
    "systemd less patient than the daemon": (
        hasty_unit,
        "warning",
        "feedback-app.service kills the daemon after 20 s, [daemon] grace is 25s",
        "write TimeoutStopSec=40s into {dir}/units/feedback-app.service, then: systemctl daemon-reload",
    ),
    "too few open files": (
        few_files,
        "warning",
        "the limit here is 512; 2 channels with 1000 workers each may need 2,064",
        "ulimit -n 2064, or LimitNOFILE=2064 in the unit",
    ),
    "no time zones": (
        no_time_zones,
        "problem",
        "no time zone database is installed",
        "pip install tzdata",
    ),
    # plugins and templates
    "a plugin that needs what is not there": (
        file("plugins/chat.py", "import nothing_of_that_name\n"),
        "problem",
        "broken: plugins/chat.py:1: needs 'nothing_of_that_name', which is not installed here",
        'mend the file, or write into {dir}/config.toml: [plugins] disabled = ["chat"]',
    ),
    "a plugin's settings that are refused": (
        config('[plugins.email_notifier]\ntransport = "smtp"\n'),
        "problem",
        "transport 'smtp' needs host",
        "edit {dir}/config.toml",
    ),
    "a template that asks for what is not there": (
        file("templates/thanks.txt", "Hello,\n{{ custmer }}\n"),
        "problem",
        "template thanks.txt line 2: 'custmer' is undefined",
        "edit {dir}/templates/thanks.txt",
    ),
    "a template that no message uses": (
        file("templates/thank.txt", "Hello\n"),
        "warning",
        "template thank.txt: no message uses it",
        "mend or remove {dir}/templates/",
    ),
    "a report that nobody takes along": (
        config('[reports.daily]\nchannel = "fax"\nto = ["4711"]\n'),
        "problem",
        "its channel is 'fax': no plugin serves it; there are: email, sms",
        "edit [reports.daily] channel in {dir}/config.toml",
    ),
    "a default channel that nobody serves": (
        config('[pipeline]\ndefault_channels = ["fax", "email"]\n'),
        "warning",
        "customers are to be thanked by it: no plugin serves it; there are: email, sms",
        "edit [pipeline] default_channels in {dir}/config.toml",
    ),
}
