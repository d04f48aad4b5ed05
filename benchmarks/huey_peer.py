"""huey on SQLite with a mail per job: `python -m benchmarks.huey_peer give|work FOLDER [PORT]`.

`work` is a consumer that polls every 100 ms, as huey does at first; by default it comes to wait up to ten seconds.
"""

from __future__ import annotations

import smtplib
import sys
import time
from pathlib import Path
from typing import Any

from huey import SqliteHuey

from benchmarks.mails import HOST, SENDER

_POLL = 0.1  # seconds


def _queue(folder: Path) -> Any:
    return SqliteHuey(filename=str(folder / "huey.db"), fsync=True, results=False)


def _give(folder: Path) -> None:
    from benchmarks.givers import answer

    thank = _job(_queue(folder), 0)

    def give(number: int) -> tuple[int, int]:
        asked = time.monotonic_ns()
        thank(number)
        return asked, time.monotonic_ns()

    answer(give)


def _job(queue: Any, port: int) -> Any:
    server = smtplib.SMTP(HOST, port) if port else None

    def thank(number: int) -> None:
        assert server is not None
        server.sendmail(SENDER, f"c{number}@example.com", "Subject: Thank you\r\n\r\nkind words\r\n")

    return queue.task(name="thank")(thank)


def main() -> None:
    """Do what the command line says."""
    folder = Path(sys.argv[2])
    if sys.argv[1] == "give":
        _give(folder)
        return
    queue = _queue(folder)
    _job(queue, int(sys.argv[3]))
    consumer = queue.create_consumer(workers=1, periodic=False, initial_delay=_POLL, max_delay=_POLL)
    print("ready", flush=True)
    consumer.run()


if __name__ == "__main__":
    main()
