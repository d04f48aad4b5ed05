"""The whole program in a folder of its own: customers and ratings go in, messages come out."""

from __future__ import annotations

import inspect
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedback_app.concurrency import CoroutineThread
from feedback_app.daemon import Daemon, RunFigures
from feedback_app.intake.identity import content_hash
from feedback_app.intake.records import Incoming
from feedback_app.model import Feedback
from feedback_app.settings import load_settings
from feedback_app.store import customers, ratings
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sqlalchemy import Connection

    from feedback_app.model import Customer

_DEADLINE = 60.0  # seconds that one drain may take

_MESSAGES = """\
SELECT channel, customer_id, recipient, purpose, subject, text, state, attempts, error FROM message ORDER BY id
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptMessage:
    """A message as the ledger has it."""

    channel: str
    customer_id: str | None
    recipient: str
    purpose: str
    subject: str
    text: str
    state: str  # queued, sending, sent, held, suppressed or dead
    attempts: int
    error: str | None  # why the last try failed


class App:
    """A business in a folder: put a plugin in, a customer and a rating, `drain`, and look at the `messages`.

    Its time stands still until `clock` is turned. Nothing here is asynchronous: it can be used in any test.
    """

    def __init__(self, folder: Path, clock: ManualClock | None = None) -> None:
        self.folder = folder
        self.clock = clock or ManualClock()
        self.plugins = folder / "plugins"
        self.plugins.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._ratings = 0
        self.configure("")

    def configure(self, config: str) -> None:
        """Write `config.toml`, the settings as TOML; nothing else is read, no environment either."""
        (self.folder / "config.toml").write_text(config, encoding="utf-8")

    def add_plugin(self, source: Path | type | str, name: str | None = None) -> None:
        """Put a plugin into the folder: a file with the helpers beside it, the file that a class stands in, or a text.

        `name` is the plugin's name, by default the file's. What is installed as a distribution is there anyway.
        """
        if isinstance(source, str):
            if name is None:
                raise ValueError("a plugin that is given as a text needs a name")
            (self.plugins / f"{name}.py").write_text(source, encoding="utf-8")
            return
        file = source if isinstance(source, Path) else Path(inspect.getsourcefile(source) or "")
        shutil.copyfile(file, self.plugins / f"{name or file.stem}.py")
        for helper in file.parent.glob("_*.py"):
            if helper.name != "__init__.py":
                shutil.copyfile(helper, self.plugins / helper.name)

    def add_customer(self, customer: Customer) -> None:
        """Make a customer known, or better known."""
        self._write(partial(customers.put, customers=[customer], now=self.clock()))

    def add_rating(self, rating: float, customer: str | None = None, **fields: Any) -> None:
        """Put a rating in, as it comes from outside; `fields` are those of `Feedback`."""
        self._ratings += 1
        facts: dict[str, Any] = {"id": f"app-{self._ratings}", "customer": customer, **fields}
        feedback = Feedback(rating=rating, **facts)
        arrival = Incoming(feedback, None, content_hash(feedback), 1, ())
        self._write(partial(ratings.take_in, arrivals=[arrival], now=self.clock()))

    def drain(self) -> RunFigures:
        """Process and send what is due now. Raises what the daemon raises, such as BadConfig."""

        async def run() -> RunFigures:
            settings = load_settings(self.folder / "config.toml", environ={})
            return await Daemon(settings, clock=self.clock).run(drain=True)

        figures: RunFigures = self._in_thread(run)
        return figures

    def messages(self) -> list[KeptMessage]:
        """Return all messages, the oldest first."""
        with closing(sqlite3.connect(self.folder / "feedback.db")) as ledger:
            ledger.row_factory = sqlite3.Row
            return [KeptMessage(**row) for row in ledger.execute(_MESSAGES)]

    def _write(self, unit: Callable[[Connection], object]) -> None:
        async def write() -> None:
            async with SqliteStore(self.folder / "feedback.db") as store:
                await store.write(unit)

        self._in_thread(write)

    def _in_thread(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run it on a loop of its own, whether this thread has one that runs or not."""
        with CoroutineThread(work, name="app") as thread:
            return thread.result(_DEADLINE)
