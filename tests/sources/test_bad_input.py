"""What is wrong on the far side is said in one line by `run --drain`; the rest is done all the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from tests.running import business
from tests.servers import LOOPBACK
from tests.sources.conftest import need
from tests.sources.rig import Rig, rating
from tests.sources.rigs import FolderRig, RedisRig, TableRig
from tests.sources.test_contract import command


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Rig]:
    """Start a Valkey server."""
    need("redis_stream")
    made = RedisRig(tmp_path)
    yield made
    made.close()


def said(rig: Rig, **more: object) -> list[str]:
    """Return what a drain says of sources."""
    done = command(business(rig.folder, config=rig.config(**more)), "run", "--drain")
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("source")]


def test_a_missing_folder(tmp_path: Path) -> None:
    """With its place."""
    rig = FolderRig(tmp_path)
    assert said(rig, path="nowhere") == [
        f"source folder is down, its ratings wait: there is no folder {tmp_path / 'nowhere'}"
    ]


def test_a_missing_table(tmp_path: Path) -> None:
    """With those that there are."""
    rig = TableRig(tmp_path)
    (line,) = said(rig, table="ratngs")
    assert line.endswith(f"its ratings wait: sqlite:///{rig.path} has no table ratngs; there are: ratings")


def test_a_server_that_is_not_there(redis: Rig) -> None:
    """With what the system says."""
    redis.break_down()
    (line,) = said(redis)
    assert line.startswith("source redis_stream is down, its ratings wait: the server cannot be reached: ")


def test_a_wrong_password(redis: RedisRig) -> None:
    """Which is not shown."""
    with redis.client() as client:
        client.config_set("requirepass", "right")
    wanted = "source redis_stream is down, its ratings wait: the server refuses the login"
    for how in ({"password": "canary"}, {}):
        (line,) = said(redis, **how)
        assert line == f"{wanted}: look at username and password"


class OutOfStep(StreamRequestHandler):
    """A server whose every answer is in the middle of an entry."""

    def handle(self) -> None:
        """Answer whatever comes."""
        while self.rfile.readline():
            self.wfile.write(b"Ann Smith\r\n")


def test_what_is_no_answer_of_a_redis_is_not_shown(tmp_path: Path) -> None:
    """It may be a piece of a rating."""
    need("redis_stream")
    with ThreadingTCPServer((LOOPBACK, 0), OutOfStep) as far:
        threading.Thread(target=far.serve_forever, daemon=True).start()
        url = f"redis://{LOOPBACK}:{far.server_address[1]}/0"
        config = f'[plugins.redis_stream]\nurl = "{url}"\nstream = "ratings"\n'
        done = command(business(tmp_path, config=config), "run", "--drain")
        far.shutdown()
    assert "the server's answer is none of a Redis" in done.stdout
    assert "Smith" not in done.stdout + done.stderr


def test_a_good_password(redis: RedisRig) -> None:
    """From a file."""
    redis.put(rating(1), "r1")
    with redis.client() as client:
        client.config_set("requirepass", "right")
    (redis.folder / "secret").write_text("right\n")
    (redis.folder / "secret").chmod(0o600)
    assert said(redis, password_file="secret") == []
