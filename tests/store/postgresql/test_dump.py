"""The recipe of docs/operations.md for PostgreSQL: pg_dump and pg_restore, tried for real."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from feedback_app.store.postgresql.ledger import PostgresLedger
from tests.copies import SQLITE, ask, contents, copied, fill
from tests.postgres import Server, program, store_on

GUIDE = Path(__file__).parents[3] / "docs" / "operations.md"
_COMMANDS = re.compile(r"^(pg_dump|createdb|pg_restore|psql) .*$", re.MULTILINE)


def recipe() -> list[str]:
    """Return the commands of the guide's section, in order."""
    section = GUIDE.read_text(encoding="utf-8").partition("### On PostgreSQL")[2].partition("\n## ")[0]
    return [found[0] for found in _COMMANDS.finditer(section)]


def statements() -> list[str]:
    """Return the statements of the guide: the one that holds what waits, the one that sees to new numbers."""
    section = GUIDE.read_text(encoding="utf-8").partition("### On PostgreSQL")[2].partition("\n## ")[0]
    return [one.partition("```")[0] for one in section.split("```sql\n")[1:]]


async def test_the_recipe_gives_the_same_ledger(postgres_server: Server, tmp_path: Path) -> None:
    """Dumped while a store has it open, restored into a new database, and used from there."""
    fill(tmp_path / "old.db")
    old = postgres_server.new_database()
    copied(f"{SQLITE}{tmp_path / 'old.db'}", old)
    name = old.partition("@/")[2].partition("?")[0]
    commands = recipe()
    assert [line.split()[0] for line in commands] == ["pg_dump", "createdb", "pg_restore", "psql"]
    async with store_on(old):
        for line in commands:
            _run(postgres_server, tmp_path, line.replace("feedback_restored", f"{name}_r"), name)
    restored = old.replace(name, f"{name}_r")
    assert contents(restored) == contents(old)
    ask(restored, "UPDATE message SET state = 'queued' WHERE id = 1")
    ask(restored, "UPDATE message SET state = 'sending', lease_owner = 'boot' WHERE id = 2")
    holding, numbering = statements()
    ask(restored, holding)
    ((highest,),) = ask(restored, "SELECT max(id) FROM feedback")
    assert ask(restored, numbering)[0][0] == highest + 1_000_000
    held = "SELECT id FROM message WHERE state = 'held' AND maybe_sent_at IS NOT NULL AND lease_owner IS NULL"
    assert sorted(ask(restored, held)) == [(1,), (2,)]
    assert PostgresLedger(restored).revision() == PostgresLedger(old).revision()
    async with store_on(restored) as store:
        assert store.ledger_id
    postgres_server.drop(restored)
    postgres_server.drop(old)


def _run(server: Server, folder: Path, line: str, name: str) -> None:
    """Run a line as a shell would, against the test's server and database."""
    words = [word.replace('"$FEEDBACK_DB"', name).strip('"') for word in _split(line)]
    environment = {**os.environ, "PGHOST": str(server.folder), "PGUSER": "postgres"}
    subprocess.run([program(words[0]), *words[1:]], cwd=folder, env=environment, check=True, timeout=60)


def _split(line: str) -> list[str]:
    return [found[0] for found in re.finditer(r'"[^"]*"|\S+', line)]
