"""Faults that are really planted: each function makes of a folder with a fresh installation one that has the fault."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sqlite3
import subprocess
import sys
import threading
import zoneinfo
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from feedback_app.clock import now_ms
from feedback_app.doctor import configuration
from feedback_app.store import daemons, report_queries, sources, starts
from feedback_app.store.sqlite.lock import LedgerLock
from tests.cli.conftest import Ledger
from tests.making import incoming, message
from tests.plugins.scripted_smtp import Script, ScriptedSmtpServer
from tests.servers import LOOPBACK, TLS_DATA, RecordingHttpServer, free_port, server_tls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    Plant = Callable[[Path], AbstractContextManager[object]]


def _simple(plant: Callable[[Path], object]) -> Plant:
    @contextlib.contextmanager
    def entered(folder: Path) -> Iterator[None]:
        plant(folder)
        yield

    return entered


def config(text: str, mode: int = 0o600) -> Plant:
    """Write the configuration."""

    def plant(folder: Path) -> None:
        file = folder / "config.toml"
        file.write_text(text)
        file.chmod(mode)

    return _simple(plant)


def _smtp(host: str, port: int, more: str = "") -> str:
    return f'[plugins.email_notifier]\ntransport = "smtp"\nhost = "{host}"\nport = {port}\n{more}\n'


LOGIN = 'username = "feedback"\npassword = "canary-password"\n'


def secret_file(content: bytes, mode: int = 0o600) -> Plant:
    """Keep the mail server's password in a file."""

    def plant(folder: Path) -> None:
        file = folder / "smtp-password"
        file.write_bytes(content)
        file.chmod(mode)
        login = 'username = "feedback"\npassword_file = "smtp-password"'
        config(_smtp(LOOPBACK, free_port(), login))(folder).__enter__()

    return _simple(plant)


def file(name: str, text: str) -> Plant:
    """Write a file into the installation."""
    return _simple(lambda folder: (folder / name).write_text(text))


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


# --- ledgers


def in_ledger(*units: Callable[[Path], object]) -> Plant:
    """Do something to a ledger that is well."""

    def plant(folder: Path) -> None:
        Ledger(folder / "feedback.db").take_in(incoming(), now=now_ms())
        for unit in units:
            unit(folder / "feedback.db")

    return _simple(plant)


def sql(*statements: str) -> Callable[[Path], None]:
    """Change a ledger behind the program's back."""

    def change(path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
            for statement in statements:
                database.execute(statement)

    return change


def garbage(path: Path) -> None:
    """Write over some pages in the middle."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as ledger:
        ledger.seek(5 * 4096)
        ledger.write(b"\xa5" * 3 * 4096)


FORGETFUL_INDEX = sql(
    "PRAGMA writable_schema = ON",
    "UPDATE sqlite_master SET sql = replace(sql, '''dead''', '''received''') WHERE name = 'ix_feedback_dead'",
)


def unit(work: Callable[..., object], **arguments: object) -> Callable[[Path], object]:
    """Have the program write something."""
    return lambda path: Ledger(path).write(partial(work, **arguments))


def register(**more: object) -> Callable[[Path], None]:
    """Note the start of a daemon, and what became of it."""

    def change(path: Path) -> None:
        begun = {"boot_id": "b1", "host": "shop", "pid": 4711, "now": now_ms() - 600_000}
        unit(daemons.register, **begun)(path)
        for column, value in more.items():
            sql(f"UPDATE daemon SET {column} = {value!r}")(path)

    return change


@contextlib.contextmanager
def _running(path: Path) -> Iterator[None]:
    lock = LedgerLock(path)
    assert lock.try_acquire("daemon")
    try:
        yield
    finally:
        lock.release()


def with_daemon(**facts: object) -> Plant:
    """Have somebody hold the daemon's lock, whose row in the ledger tells these facts."""

    @contextlib.contextmanager
    def entered(folder: Path) -> Iterator[None]:
        with (
            in_ledger(register(**{"heartbeat_at": now_ms(), **facts}))(folder),
            _running(folder / "feedback.db"),
        ):
            yield

    return entered


def down(reason: str, **more: object) -> str:
    """Write how a daemon tells of what is down."""
    return json.dumps({"chat": {"down_since": now_ms(), "reason": reason, **more}})


def five_failed_starts(path: Path) -> None:
    """Let five starts fail in a row."""
    for _ in range(5):
        unit(starts.failed, reason="the channel chat does not open", now=now_ms())(path)
    unit(starts.pause, length=300_000, now=now_ms())(path)


def paused_source(path: Path) -> None:
    """Pause a source that somebody knows."""
    unit(sources.register, names=["till"])(path)
    unit(sources.pause, name="till", now=now_ms())(path)


def late_report(path: Path) -> None:
    """Let the schedule have begun long ago."""
    unit(report_queries.remember_first_date, name="daily", first=date(2026, 1, 1))(path)


def given_up(path: Path) -> None:
    """Leave messages for a person."""
    Ledger(path).enqueue(message(1), message(2), message(3))
    sql("UPDATE message SET state = 'dead' WHERE id < 3", "UPDATE message SET state = 'held' WHERE id = 3")(
        path
    )


@contextlib.contextmanager
def on_a_full_disk(folder: Path) -> Iterator[None]:
    """Keep the ledger on a disk of eight megabytes."""
    disk = folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        (folder / "config.toml").write_text('[store]\nurl = "sqlite:///disk/feedback.db"\n')
        yield
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


# --- far sides


@contextlib.contextmanager
def mail_server(script: Script, certificate: str = "good.pem") -> Iterator[ScriptedSmtpServer]:
    """Run a mail server that plays a part, in a thread of its own."""
    server = ScriptedSmtpServer(script, server_tls(certificate))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
        yield server
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def mail_that(script: Script, certificate: str = "good.pem", login: str = LOGIN) -> Plant:
    """Configure a mail server that plays a part; whatever its certificate says, its maker is trusted."""

    @contextlib.contextmanager
    def entered(folder: Path) -> Iterator[None]:
        with mail_server(script, certificate) as server, trusting(certificate):
            config(_smtp(server.host, server.port, f'tls = "starttls"\n{login}'))(folder).__enter__()
            yield

    return entered


def trusting(certificate: str) -> AbstractContextManager[object]:
    """Trust who made the certificate."""
    return _environment({"SSL_CERT_FILE": str(TLS_DATA / certificate)})


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@contextlib.contextmanager
def untrusted_webhook(folder: Path) -> Iterator[None]:
    """Configure a receiver with a certificate that nobody knows."""
    with RecordingHttpServer(tls=server_tls()) as server:
        _webhook(folder, server.url)
        yield


def _webhook(folder: Path, url: str) -> None:
    secret = 'secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"'
    (folder / "config.toml").write_text(f'[plugins.webhook_notifier]\nurl = "{url}"\n{secret}\n')


away_redis = _simple(
    lambda folder: (folder / "config.toml").write_text(
        f'[plugins.redis_stream]\nurl = "redis://{LOOPBACK}:{free_port()}/0"\nstream = "ratings"\n'
    )
)
closed_port = _simple(lambda folder: (folder / "config.toml").write_text(_smtp(LOOPBACK, free_port())))
unknown_host = _simple(lambda folder: _webhook(folder, "https://nowhere.invalid/hook"))
