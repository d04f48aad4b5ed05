"""What the contract suite needs of a far side: a real server, or a real file, that can be filled, broken and mended."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

GOOD = b'{"rating": 5, "customer": "c1", "comment": "fine"}'


class Rig(ABC):
    """One far side with one source on it. Every call is made from the test, none from the program."""

    plugin: str  # the name of the plugin, and of its source
    poison: bytes  # a payload that is no rating
    says_id = True  # `put` can say the far side's own id of a payload
    remembers = True  # the far side itself knows what was acknowledged
    tells_lag = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return what stands in the plugin's table."""

    @abstractmethod
    def put(self, payload: bytes, key: str) -> None:
        """Add a payload, which says its id itself where the far side has none."""

    @abstractmethod
    def waiting(self, ledger: Path) -> int:
        """Return how many payloads are not acknowledged."""

    @abstractmethod
    def break_down(self) -> None:
        """Make the far side unreachable."""

    @abstractmethod
    def mend(self) -> None:
        """Make it reachable again, with all that it had."""

    def close(self) -> None:
        """Let everything go."""

    def config(self, **more: Any) -> str:
        """Return the plugin's table as it stands in config.toml."""
        lines = [f"{key} = {_toml(value)}" for key, value in {**self.settings(), **more}.items()]
        return "\n".join([f"[plugins.{self.plugin}]", *lines, ""])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)


def rating(number: int, **more: Any) -> bytes:
    """Return a payload with an id of its own."""
    facts = {"id": f"r{number}", "rating": 5, "customer": "c1", "comment": "fine", **more}
    return json.dumps(facts).encode()
