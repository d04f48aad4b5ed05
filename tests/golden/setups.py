"""What a file of text cannot say: each function makes of a case's folder what its name says, while it is entered."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, chdir, closing, contextmanager
from pathlib import Path

from feedback_app.store.sqlite.lock import LedgerLock

NOBODY = 65534

SETUPS: dict[str, Callable[[Path], AbstractContextManager[None]]] = {}


def _setup(make: Callable[[Path], None]) -> Callable[[Path], None]:
    """Register a function that makes something, which needs no undoing."""

    @contextmanager
    def entered(folder: Path) -> Iterator[None]:
        make(folder)
        yield

    SETUPS[make.__name__.strip("_")] = entered
    return make


def _sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


# --- inputs


@_setup
def _fifo_input(folder: Path) -> None:
    os.mkfifo(folder / "r.csv")


@_setup
def _folder_input(folder: Path) -> None:
    (folder / "r.csv").mkdir()


@_setup
def _line_of_11_megabytes(folder: Path) -> None:
    long = json.dumps({"rating": 5, "comment": "x" * 11_000_000})
    (folder / "r.jsonl").write_text(f'{long}\n{{"rating": 4}}\n')


@_setup
def _deep_json(folder: Path) -> None:
    (folder / "r.jsonl").write_text('{"rating": 5, "x": ' + "[" * 100_000 + '\n{"rating": 4}\n')


@_setup
def _long_number(folder: Path) -> None:
    (folder / "r.jsonl").write_text('{"rating": ' + "5" * 5000 + '}\n{"rating": 4}\n')


@_setup
def _million_columns(folder: Path) -> None:
    names = ",".join(f"c{number}" for number in range(1_000_000))
    (folder / "r.csv").write_text(f"rating,{names}\n5{',' * 1_000_000}\n")


@_setup
def _long_comment(folder: Path) -> None:
    with (folder / "r.csv").open("a") as file:
        file.write(f"4,{'x' * 120_000}\n")


@contextmanager
def _folder_gone(folder: Path) -> Iterator[None]:
    """Be in a folder that somebody removes."""
    lost = folder / "lost"
    lost.mkdir()
    with chdir(lost):
        lost.rmdir()
        yield


# --- configurations


@_setup
def _folder_for_config(folder: Path) -> None:
    (folder / "config.toml").mkdir()


@_setup
def _fifo_for_config(folder: Path) -> None:
    os.mkfifo(folder / "config.toml")


@_setup
def _config_that_links_to_itself(folder: Path) -> None:
    (folder / "config.toml").symlink_to("config.toml")


@_setup
def _exposed_config(folder: Path) -> None:
    (folder / "config.toml").chmod(0o644)


@_setup
def _fifo_for_password(folder: Path) -> None:
    os.mkfifo(folder / "password")


# --- plugins and templates


@_setup
def _fifo_for_plugin(folder: Path) -> None:
    os.mkfifo(folder / "plugins" / "mine.py")


@_setup
def _plugin_that_links_nowhere(folder: Path) -> None:
    (folder / "plugins" / "mine.py").symlink_to("gone.py")


@_setup
def _fifo_for_template(folder: Path) -> None:
    os.mkfifo(folder / "templates" / "thanks.txt")


@_setup
def _template_that_links_nowhere(folder: Path) -> None:
    (folder / "templates" / "thanks.txt").symlink_to("gone.txt")


@_setup
def _world_writable_plugin(folder: Path) -> None:
    (folder / "plugins" / "mine.py").chmod(0o666)


@_setup
def _group_writable_plugins(folder: Path) -> None:
    (folder / "plugins").chmod(0o775)


@_setup
def _plugin_that_links_out(folder: Path) -> None:
    (folder / "plugins").mkdir(mode=0o755)
    (folder / "outside.py").write_text("x = 1\n")
    (folder / "plugins" / "mine.py").symlink_to("../outside.py")


@_setup
def _folder_for_template(folder: Path) -> None:
    (folder / "templates" / "thanks.txt").mkdir(parents=True)


@contextmanager
def _two_distributions_for_one_name(folder: Path) -> Iterator[None]:
    """Install two distributions whose entry points have one name."""
    for name in ("one", "other"):
        info = folder / "site" / f"feedback_app_notify_{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: feedback-app-notify-{name}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text("[feedback_app]\nchat = chat_of_nobody\n")
    sys.path.append(str(folder / "site"))
    try:
        yield
    finally:
        sys.path.remove(str(folder / "site"))


# --- ledgers


@_setup
def _folder_for_ledger(folder: Path) -> None:
    (folder / "feedback.db").mkdir()


@_setup
def _fifo_for_ledger(folder: Path) -> None:
    os.mkfifo(folder / "feedback.db")


@_setup
def _socket_for_ledger(folder: Path) -> None:
    with chdir(folder), closing(socket.socket(socket.AF_UNIX)) as one:
        one.bind("feedback.db")


@_setup
def _ledger_that_links_to_itself(folder: Path) -> None:
    (folder / "feedback.db").symlink_to("feedback.db")


@_setup
def _ledger_that_links_nowhere(folder: Path) -> None:
    (folder / "feedback.db").symlink_to("gone.db")


@_setup
def _database_of_another_program(folder: Path) -> None:
    _sql(folder / "feedback.db", "CREATE TABLE songs (title TEXT)")


@_setup
def _newer_schema(folder: Path) -> None:
    _sql(folder / "feedback.db", "UPDATE alembic_version SET version_num = '9999'")


@_setup
def _ledger_without_schema(folder: Path) -> None:
    _sql(folder / "feedback.db", "DROP TABLE alembic_version")


@_setup
def _unfinished_copy(folder: Path) -> None:
    _sql(folder / "feedback.db", "INSERT INTO meta VALUES ('unfinished_copy', '[\"id\", null, null]')")


@_setup
def _encrypted_ledger(folder: Path) -> None:
    (folder / "feedback.db").write_bytes(bytes(range(255, -1, -1)) * 32)  # SQLCipher leaves no header


@_setup
def _ledger_cut_short(folder: Path) -> None:
    os.truncate(folder / "feedback.db", 20_000)


@_setup
def _ledger_with_garbage(folder: Path) -> None:
    with (folder / "feedback.db").open("r+b") as ledger:
        ledger.seek(5 * 4096)
        ledger.write(b"\xa5" * 3 * 4096)


@_setup
def _log_of_garbage(folder: Path) -> None:
    (folder / "feedback.db-wal").write_bytes(b"\xa5" * 100_000)


@_setup
def _ledger_that_links_to_a_folder(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "feedback.db").symlink_to("data")


@_setup
def _log_without_ledger(folder: Path) -> None:
    (folder / "feedback.db-wal").write_bytes(b"what a crash left")


@contextmanager
def _ledger_in_memory(folder: Path) -> Iterator[None]:
    """Configure a ledger on the tmpfs that every Linux has."""
    place = Path("/dev/shm") / folder.name
    place.mkdir()
    (folder / "config.toml").write_text(f'[store]\nurl = "sqlite:///{place}/feedback.db"\n')
    (folder / "shm").symlink_to(place)
    try:
        yield
    finally:
        shutil.rmtree(place)


@contextmanager
def _ledger_locked(folder: Path) -> Iterator[None]:
    """Hold the ledger as a stranger would who looks into it with a tool."""
    with closing(sqlite3.connect(folder / "feedback.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def _daemon_running(folder: Path) -> Iterator[None]:
    """Hold the lock that a daemon holds."""
    lock = LedgerLock(folder / "feedback.db")
    assert lock.try_acquire("daemon")
    try:
        yield
    finally:
        lock.release()


# --- the operating system says no; root is nobody here, for nothing is forbidden to root


@contextmanager
def _as_nobody(folder: Path, *closed: Path) -> Iterator[None]:
    """Close files and folders to everybody, and be a user to whom that applies."""
    for one in (folder, *folder.rglob("*")):
        one.chmod(0o777 if one.is_dir() else 0o666)
    for one in closed:
        one.chmod(0o555 if one == folder else 0)
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was == 0:
            os.seteuid(was)
        for one in closed:
            one.chmod(0o700)


def _closing(*names: str) -> Callable[[Path], AbstractContextManager[None]]:
    return lambda folder: _as_nobody(folder, *(folder / name for name in names))


@contextmanager
def _closed_lock(folder: Path) -> Iterator[None]:
    """Leave the lock file of a daemon that another user ran."""
    (folder / "feedback.db-lock").touch()
    with _as_nobody(folder, folder / "feedback.db-lock"):
        yield


@contextmanager
def _readable_ledger(folder: Path) -> Iterator[None]:
    """Let everybody read the ledger and nobody write it."""
    with _as_nobody(folder, folder / "feedback.db"):
        was = os.geteuid()
        if os.getuid() == 0:
            os.seteuid(0)
        (folder / "feedback.db").chmod(0o444)
        os.seteuid(was)
        yield


@contextmanager
def _closed_log(folder: Path) -> Iterator[None]:
    """Leave what another user's process has committed and not folded back."""
    (folder / "feedback.db-wal").touch()
    with _as_nobody(folder, folder / "feedback.db-wal"):
        yield


SETUPS |= {
    "readable_ledger": _readable_ledger,
    "closed_log": _closed_log,
    "two_distributions_for_one_name": _two_distributions_for_one_name,
    "ledger_in_memory": _ledger_in_memory,
    "ledger_locked": _ledger_locked,
    "daemon_running": _daemon_running,
    "folder_gone": _folder_gone,
    "closed_folder": _closing(""),
    "closed_ledger": _closing("feedback.db"),
    "closed_lock": _closed_lock,
    "closed_subfolder": _closing("sub"),
    "closed_config": _closing("config.toml"),
    "closed_input": _closing("r.csv"),
    "closed_template": _closing("templates/thanks.txt"),
    "closed_password": _closing("password"),
}
