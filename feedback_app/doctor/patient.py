"""What is examined."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from feedback_app.plugin_host import PluginHost
from feedback_app.store.ledger import Ledger, ledger_of
from feedback_app.store.migrate import HEAD

if TYPE_CHECKING:
    from feedback_app.clock import Clock
    from feedback_app.model import Milliseconds
    from feedback_app.settings import Reading, Settings


@dataclass(frozen=True, kw_only=True)
class Patient:
    """An installation as it is now; what is costly is looked up once, when a check first asks for it."""

    reading: Reading
    clock: Clock
    full: bool = False  # look through all of the ledger, however long that takes
    offline: bool = False  # reach nobody else

    @property
    def now(self) -> Milliseconds:
        """The time at this moment: a look through a large ledger takes minutes, and the daemon goes on."""
        return self.clock()

    @property
    def settings(self) -> Settings:
        """What is configured, with the defaults of what is faulty; only where `reading` has any."""
        assert self.reading.settings is not None
        return self.reading.settings

    @property
    def file(self) -> str:
        """The configuration file to edit."""
        files = self.reading.settings.files if self.reading.settings else ()
        return str(files[-1]) if files else "config.toml"

    @cached_property
    def host(self) -> PluginHost:
        """The plugins, loaded and not opened."""
        return PluginHost.load(self.settings)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger's place. Raises BadConfig where its driver is missing."""
        return ledger_of(self.settings)

    @cached_property
    def ledger_problems(self) -> list[str]:
        """Why it cannot be opened or made; a server that is away takes its time to be so."""
        return self.ledger.problems()

    @cached_property
    def revision(self) -> str | None:
        """Which schema the ledger has, None where there is none yet. Raises what opening it would."""
        return self.ledger.revision()

    @cached_property
    def can_be_asked(self) -> bool:
        """Whether there is a ledger that this program's queries fit."""
        return not self.ledger_problems and self.revision is not None and self.revision >= HEAD

    @cached_property
    def daemon(self) -> int | None:
        """The pid of a daemon that runs on the ledger, 0 when it is not known, None when none does."""
        return self.ledger.running_daemon()
