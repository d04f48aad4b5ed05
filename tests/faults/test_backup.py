"""Backups under load, restores and upgrades that are killed: a seeded share of the suites."""

from __future__ import annotations

from tests.faults import backup, restore, upgrade
from tests.faults.needs import need_strace


def test_backups_under_load_hold_what_was_acknowledged() -> None:
    """Each is restored and worked on; the ledger in use loses and doubles nothing meanwhile."""
    figures = backup.run(3, 2, backlog=500)
    assert figures.broken == []
    assert figures.backups == 2
    assert figures.meanwhile > 0
    assert (figures.lost, figures.doubled) == (0, 0)


def test_a_restore_that_is_killed_leaves_the_old_or_the_new_one() -> None:
    """From its first change of a name on; all of its calls are the suite's."""
    need_strace()
    first = next(at for at, call in enumerate(restore.watched()) if call.name.startswith("link"))
    figures = restore.run(first, 8)
    assert figures.broken == []
    assert figures.kills > 0
    assert figures.old > 0
    assert figures.new > 0


def test_an_upgrade_that_is_killed_leaves_the_old_or_the_new_one() -> None:
    """While the copy is written, when it gets its name, before and after the commit: all calls are the suite's."""
    need_strace()
    made = upgrade.watched("0003", "command")
    named = next(at for at, call in enumerate(made) if call.name.startswith("rename"))
    chosen = [made[named // 2], made[named], made[-1]]
    cases = [upgrade.Case("0003", "command", call) for call in chosen]
    figures = upgrade.of([*cases, upgrade.Case("0001", "daemon", None)])
    assert (figures.broken, figures.slow) == ([], [])
    assert (figures.kills, figures.old, figures.new, figures.copies) == (4, 3, 1, 2)
