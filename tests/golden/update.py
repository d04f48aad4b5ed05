"""Writes down what the program says now: `python -m tests.golden.update [NAME…]`, all cases without a NAME.

Prints what changes as a diff, for somebody to judge: a golden text is only as good as the eye that passed it.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
from pathlib import Path

from tests.golden.case import Case, load_cases
from tests.golden.running import Outcome, outcome

_BLOCK = re.compile(r"^\[\[case\]\]\n", re.MULTILINE)
_WANTED = re.compile(
    r"^(?:exit|stderr|stdout) = (?:'''.*?'''|\"\"\".*?\"\"\"|.*?)\n", re.MULTILINE | re.DOTALL
)
_TABLE = re.compile(r"^\[case\.\w+\]\n", re.MULTILINE)
_THEN = "[case.then]\n"


def main(names: list[str]) -> int:
    """Bring the named cases up to date. Returns 1 for a name that is not there."""
    cases = [case for case in load_cases() if not names or case.name in names]
    unknown = set(names) - {case.name for case in cases}
    for name in sorted(unknown):
        sys.stderr.write(f"no case is named {name!r}\n")
    for case in cases:
        _update(case)
    return 1 if unknown else 0


def _update(case: Case) -> None:
    before = case.file.read_text(encoding="utf-8")
    after = rewritten(before, case.name, outcome(case, process=case.process == "only"))
    case.file.write_text(after, encoding="utf-8")
    shown = Path(case.file.name)
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), str(shown), case.name, lineterm="", n=1
    )
    sys.stdout.writelines(f"{line}\n" for line in lines)


def rewritten(document: str, name: str, got: Outcome) -> str:
    """Return the document with what a case gave in place of what it was to give."""
    head, *blocks = _BLOCK.split(document)
    (place,) = [n for n, block in enumerate(blocks) if f"name = {json.dumps(name)}\n" in block]
    blocks[place] = _block(blocks[place], got)
    return "".join([head, *(f"[[case]]\n{block}" for block in blocks)])


def _block(block: str, got: Outcome) -> str:
    table = _TABLE.search(block)
    keys, tables = (block[: table.start()], block[table.start() :]) if table else (block, "")
    ran = got.ran
    written = f"exit = {ran.exit}\nstderr = {_literal(ran.stderr)}\n"
    if ran.stdout:
        written += f"stdout = {_literal(ran.stdout)}\n"
    if got.shown is not None:
        before, then = tables.split(_THEN)
        wanted, *behind = _TABLE.split(then, maxsplit=1)
        assert not behind, "[case.then] comes last"
        tables = f"{before}{_THEN}{_WANTED.sub('', wanted).rstrip()}\nstdout = {_literal(got.shown)}\n\n"
    return _WANTED.sub("", keys).rstrip() + "\n" + written + ("\n" + tables if tables else "\n")


def _literal(text: str) -> str:
    """Write a text as TOML, readable where that is possible."""
    if "'''" in text or not text.replace("\n", "").isprintable():
        return json.dumps(text, ensure_ascii=False)
    if "\n" in text:
        return f"'''\n{text}'''"
    return f"'{text}'" if '"' in text and "'" not in text else json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
