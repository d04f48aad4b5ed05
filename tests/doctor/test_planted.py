"""Each planted fault is found and named, with what mends it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from feedback_app.clock import now_ms
from tests.doctor import planting as plant

if TYPE_CHECKING:
    from tests.cli.conftest import Cli
    from tests.doctor.planting import Plant

PLANTED: dict[str, tuple[Plant, str, str, str]] = {  # the fault, how grave, what is found, what mends it
    # the configuration
    "a slip in a key": (
        plant.config("[delivery]\nworker = 4\n"),
        "problem",
        "config.toml: [delivery] worker: unknown key, did you mean 'workers'?",
        "edit {dir}/config.toml; `feedback-app config check` checks it",
    ),
    "no TOML": (
        plant.config("[delivery\n"),
        "problem",
        "config.toml:1:10: not valid TOML",
        "edit config.toml",
    ),
    "a secret for all to read": (
        plant.config('[plugins.sms_notifier]\nauth_token = "canary-token"\n', 0o644),
        "warning",
        "config.toml: holds a secret (plugins.sms_notifier.auth_token) and others than its owner can read it",
        "chmod 600 config.toml",
    ),
    "a configuration for all to write": (
        plant.config("", 0o666),
        "problem",
        "{dir}/config.toml: anybody on this machine can change it",
        "chmod o-w {dir}/config.toml",
    ),
    "a secret's file for all to read": (
        plant.secret_file(b"canary-password\n", 0o644),
        "warning",
        "email_notifier.password_file: {dir}/smtp-password can be read by others than its owner",
        "chmod 600 {dir}/smtp-password",
    ),
    "a secret's file with blanks": (
        plant.secret_file(b"canary-password \r\n"),
        "warning",
        "email_notifier.password_file: {dir}/smtp-password has blanks around the secret",
        "write it anew, with one line and nothing else: {dir}/smtp-password",
    ),
    "a secret's file with nothing in it": (
        plant.secret_file(b""),
        "problem",
        "password_file: {dir}/smtp-password is empty",
        "write the password into it",
    ),
    # the machine
    "systemd less patient than the daemon": (
        plant.hasty_unit,
        "warning",
        "feedback-app.service kills the daemon after 20 s, [daemon] grace is 25s",
        "write TimeoutStopSec=40s into {dir}/units/feedback-app.service, then: systemctl daemon-reload",
    ),
    "too few open files": (
        plant.few_files,
        "warning",
        "the limit here is 512; 2 channels with 1000 workers each may need 2,064",
        "ulimit -n 2064, or LimitNOFILE=2064 in the unit",
    ),
    "no time zones": (
        plant.no_time_zones,
        "problem",
        "no time zone database is installed",
        "pip install tzdata",
    ),
    # plugins and templates
    "a plugin that needs what is not there": (
        plant.file("plugins/chat.py", "import nothing_of_that_name\n"),
        "problem",
        "broken: plugins/chat.py:1: needs 'nothing_of_that_name', which is not installed here",
        'mend the file, or write into {dir}/config.toml: [plugins] disabled = ["chat"]',
    ),
    "a plugin's settings that are refused": (
        plant.config('[plugins.email_notifier]\ntransport = "smtp"\n'),
        "problem",
        "transport 'smtp' needs host",
        "edit {dir}/config.toml",
    ),
    "a template that asks for what is not there": (
        plant.file("templates/thanks.txt", "Hello,\n{{ custmer }}\n"),
        "problem",
        "template thanks.txt line 2: 'custmer' is undefined",
        "edit {dir}/templates/thanks.txt",
    ),
    "a template that no message uses": (
        plant.file("templates/thank.txt", "Hello\n"),
        "warning",
        "template thank.txt: no message uses it",
        "mend or remove {dir}/templates/",
    ),
    "a report that nobody takes along": (
        plant.config('[reports.daily]\nchannel = "fax"\nto = ["4711"]\n'),
        "problem",
        "its channel is 'fax': no plugin serves it; there are: email, sms",
        "edit [reports.daily] channel in {dir}/config.toml",
    ),
    "a default channel that nobody serves": (
        plant.config('[pipeline]\ndefault_channels = ["fax", "email"]\n'),
        "warning",
        "customers are to be thanked by it: no plugin serves it; there are: email, sms",
        "edit [pipeline] default_channels in {dir}/config.toml",
    ),
    # the ledger
    "a ledger with damaged pages": (
        plant.in_ledger(plant.garbage),
        "problem",
        "{dir}/feedback.db: the ledger is damaged",
        "restore it from a backup",
    ),
    "an index that misses rows": (
        plant.in_ledger(plant.FORGETFUL_INDEX),
        "problem",
        "{dir}/feedback.db: damaged: row 1 missing from index ix_feedback_dead",
        "restore it from a backup",
    ),
    "a ledger of a newer program": (
        plant.in_ledger(plant.sql("UPDATE alembic_version SET version_num = '9999'")),
        "problem",
        "the ledger has schema 9999, this program knows up to",
        "upgrade feedback_app",
    ),
    "a ledger of an older program": (
        plant.in_ledger(plant.sql("UPDATE alembic_version SET version_num = '0001'")),
        "warning",
        "{dir}/feedback.db: has schema 0001, this program wants",
        "feedback-app db upgrade",
    ),
    "a text for a ledger": (
        plant.file("feedback.db", "Dear diary\n"),
        "problem",
        "{dir}/feedback.db: not a SQLite database",
        "name another file in [store] url, or restore it from a backup",
    ),
    "a ledger in a folder that is not there": (
        plant.config('[store]\nurl = "sqlite:///data/feedback.db"\n'),
        "problem",
        "{dir}/data/feedback.db: the folder {dir}/data does not exist",
        "make it, or name another file in [store] url",
    ),
    "a disk that is almost full": (
        plant.on_a_full_disk,
        "problem",
        "free beside the ledger, at least 64 MiB are needed",
        "make room, or name a ledger on another disk in [store] url",
    ),
    "a ledger for all to read": (
        plant.in_ledger(lambda path: path.chmod(0o644)),
        "warning",
        "others than its owner can read customers' data in {dir}/feedback.db",
        "chmod 600 {dir}/feedback.db",
    ),
    # the daemon and what waits
    "a daemon that ended without a word": (
        plant.in_ledger(plant.register()),
        "warning",
        "none runs; the last one ended without a word after 20",
        "feedback-app run, or: systemctl start feedback-app",
    ),
    "a daemon whose heart does not beat": (
        plant.with_daemon(heartbeat_at=now_ms() - 3_600_000),
        "problem",
        "pid 4711 on shop runs, and its last heartbeat is 3,",
        "kill -USR1 4711 makes it log where; then restart it",
    ),
    "starts that fail in a row": (
        plant.in_ledger(plant.five_failed_starts),
        "problem",
        "its starts failed again and again, the next is paused until",
        "mend that, then: feedback-app run",
    ),
    "a plugin that was suspended": (
        plant.with_daemon(channels=plant.down("suspended: 5 failures in a row of plugin chat: ValueError")),
        "problem",
        "its messages wait: suspended: 5 failures in a row of plugin chat: ValueError",
        "mend the plugin, then reload the daemon",
    ),
    "a channel that is down": (
        plant.with_daemon(channels=plant.down("127.0.0.1:25 answered 535 no")),
        "problem",
        "its messages wait: 127.0.0.1:25 answered 535 no",
        "mend what it says; it is tried again by itself",
    ),
    "a source that is down": (
        plant.with_daemon(sources=plant.down("no such stream", state="down")),
        "problem",
        "its ratings wait: no such stream",
        "mend what it says; it is opened again by itself",
    ),
    "a source that somebody paused": (
        plant.in_ledger(plant.paused_source),
        "warning",
        "paused since 20",
        "feedback-app sources resume till",
    ),
    "messages that were given up": (
        plant.in_ledger(plant.given_up),
        "warning",
        "2 messages were given up",
        "feedback-app messages list --state dead",
    ),
    "messages that may have left": (
        plant.in_ledger(plant.given_up),
        "warning",
        "1 messages may have left and wait for your word",
        "feedback-app messages list --state held",
    ),
    "customers who prefer what nobody serves": (
        plant.in_ledger(
            plant.sql(
                "INSERT INTO customer (id, preferred_channels, created_at, updated_at) VALUES ('c', 'fax,email', 1, 1)"
            )
        ),
        "warning",
        "customers prefer it and no plugin serves it",
        "`feedback-app plugins new fax` writes one to start from",
    ),
    "a clock that is behind": (
        plant.in_ledger(plant.sql("UPDATE feedback SET received_at = received_at + 7200000")),
        "problem",
        "the ledger has entries from 7,",
        "set the clock: timedatectl set-ntp true",
    ),
    "a report that is late": (
        plant.in_ledger(plant.late_report),
        "problem",
        "of 7 days, the oldest 20",
        "start the daemon, which makes it up",
    ),
    # far sides
    "a mail server that is not there": (
        plant.closed_port,
        "problem",
        "email_notifier: cannot connect to 127.0.0.1:",
        "check [plugins.email_notifier] in {dir}/config.toml",
    ),
    "a mail server that refuses the login": (
        plant.mail_that({"AUTH": "535 5.7.8 no such login feedback canary-password"}),
        "problem",
        " answered 535 5.7.8 no such login (private) (private)",
        "check [plugins.email_notifier]",
    ),
    "a mail server whose certificate is over": (
        plant.mail_that({}, "expired.pem"),
        "problem",
        "certificate has expired",
        "check [plugins.email_notifier]",
    ),
    "a mail server of another name": (
        plant.mail_that({}, "wrong_host.pem"),
        "problem",
        "certificate is not valid for '127.0.0.1'",
        "check [plugins.email_notifier]",
    ),
    "a mail server without STARTTLS": (
        plant.mail_that({"EHLO": "250 test"}),
        "problem",
        "STARTTLS",
        "check [plugins.email_notifier]",
    ),
    "a webhook that nobody knows": (
        plant.untrusted_webhook,
        "problem",
        "webhook_notifier: no trusted TLS with ",
        "check [plugins.webhook_notifier]",
    ),
    "a source's folder that is not there": (
        plant.config('[plugins.folder]\npath = "drop"\n'),
        "problem",
        "folder: there is no folder {dir}/drop",
        "check [plugins.folder] in {dir}/config.toml",
    ),
    "a source's server that is not there": (
        plant.away_redis,
        "problem",
        "redis_stream: the server cannot be reached: ",
        "check [plugins.redis_stream] in {dir}/config.toml",
    ),
    "a host that has no address": (
        plant.unknown_host,
        "problem",
        "webhook_notifier: cannot connect to nowhere.invalid:443: ",
        "check [plugins.webhook_notifier]",
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found_with_its_mend(fault: str, cli: Cli, folder: Path) -> None:
    """And exactly problems make the exit code 1; no secret is told."""
    planted, state, words, mend = PLANTED[fault]
    cli.ok("init")
    with planted(folder):
        result = cli("doctor", "--json", "--full")
    about = [one for one in result.json if words.format(dir=folder) in one["found"]]
    assert [one["state"] for one in about] == [state], result.json
    assert mend.format(dir=folder) in about[0]["mend"]
    assert result.code == any(one["state"] == "problem" for one in result.json)
    assert "canary" not in result.out + result.err
