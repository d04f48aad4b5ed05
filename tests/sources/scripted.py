"""A source that does what a test tells it, as a real plugin file of a real daemon."""

from __future__ import annotations

from pathlib import Path

from tests.running import business

SCRIPTED = '''
"""A source whose calls are written by the test."""

import asyncio
from pathlib import Path

from feedback_app import Batch, Received, Source, SourceDown, hookimpl

calls = []


class Scripted(Source):
    name = "scripted"

{methods}

    async def acknowledge(self, received):
        calls.append(("acknowledge", [(one.id, one.reason) for one in received]))

    async def close(self):
        calls.append(("close", None))


@hookimpl
def make_source(settings):
    return Scripted()
'''

ENDLESS = """
    async def receive(self, limit):
        await asyncio.sleep(0.01)
        return Batch()
"""


def scripted(folder: Path, methods: str, *, config: str = "") -> Path:
    """Write a business with the source; returns the config's path."""
    made = business(folder, config=config)
    (folder / "plugins" / "scripted.py").write_text(SCRIPTED.replace("{methods}", methods.strip("\n")))
    return made
