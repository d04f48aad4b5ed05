"""The imports follow the map in docs/architecture.md: lower parts never import higher ones."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "feedback_app"

# From the lowest to the highest; parts of one layer may not import each other, unless ALLOWED says so.
LAYERS = (
    {"errors", "model"},
    {"failpoints", "logs", "tally"},
    {"concurrency", "clock"},
    {"settings", "contracts", "templating"},
    {"hookspecs", "pipeline"},
    {"store"},
    {"intake", "delivery", "report"},
    {"plugin_host", "inbox", "kin", "parts", "signals", "supervisor"},
    {"presence", "processing", "rehearsing", "replaying", "trimming", "backups"},
    {"assembly", "metrics", "reminders", "trying"},
    {"chores"},
    {"service"},
    {"delivering", "daemon", "doctor"},
    {"testing"},
    {"cli"},
    {"__main__"},
)
ALLOWED = {("errors", "model"), ("clock", "concurrency")}
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}
ONLY_IMPORTER = {"sqlalchemy": "store", "alembic": "store", "psycopg": "store", "pluggy": "plugin_host"}


def _part(file: Path) -> str:
    first = file.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def _imports(file: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, module) for each import that happens at run time."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    only_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in only_types:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "feedback_app":
                yield from ((node.lineno, f"feedback_app.{one.name}") for one in node.names)
            else:
                yield node.lineno, node.module


FILES = sorted(file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py")


def test_every_folder_is_shipped() -> None:
    """The packages stand in pyproject.toml by name, because two of them come from folders at the top."""
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    folders = {file.parent.relative_to(ROOT) for file in PACKAGE.rglob("*.py")}
    assert {".".join(folder.parts) for folder in folders} <= listed


def test_every_part_has_its_layer() -> None:
    """A new folder or file is put on the map before it is used."""
    assert {_part(file) for file in FILES} == set(RANK)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_no_import_runs_up(file: Path) -> None:
    """Each import of our own leads to a lower layer or stays in its part."""
    part = _part(file)
    wrong = []
    for line, module in _imports(file):
        if not module.startswith("feedback_app."):
            continue
        other = module.split(".")[1]
        if other not in RANK:  # a public name of the package itself
            continue
        if other != part and RANK[other] >= RANK[part] and (other, part) not in ALLOWED:
            wrong.append(f"line {line}: {part} imports {other}")
    assert wrong == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_the_database_and_the_plugin_library_have_one_importer_each(file: Path) -> None:
    """SQLAlchemy and Alembic only in store; pluggy's manager only in plugin_host; hookspecs only marks."""
    part = _part(file)
    for _, module in _imports(file):
        top = module.split(".")[0]
        if top == "pluggy" and part == "hookspecs":
            continue
        assert ONLY_IMPORTER.get(top, part) == part, f"{file} imports {module}"


@pytest.mark.parametrize("file", sorted((ROOT / "plugins").glob("*.py")), ids=lambda file: file.name)
def test_shipped_plugins_import_only_what_every_plugin_may(file: Path) -> None:
    """`feedback_app`, `feedback_app.concurrency`, and their own helpers."""
    for _, module in _imports(file):
        if module.startswith("feedback_app."):
            name = module.split(".")[1]
            import feedback_app

            assert name in {"concurrency", "plugins"} or name in feedback_app.__all__, module


def test_only_the_fixtures_need_pytest() -> None:
    """`plugins test` works where it is not installed."""
    importers = {
        file.name for file in FILES if "pytest" in {name.split(".")[0] for _, name in _imports(file)}
    }
    assert importers == {"fixtures.py"}


def test_the_two_folders_at_the_top_have_no_copy_inside() -> None:
    """feedback_app.plugins and feedback_app.migrations are the folders at the top, once installed."""
    assert not list(PACKAGE.glob("plugins*"))
    assert not list(PACKAGE.glob("migrations*"))


def test_concurrency_knows_nothing_of_ratings() -> None:
    """The patterns are generic."""
    words = ("rating", "feedback_app.model", "customer", "message_id")
    for file in sorted((PACKAGE / "concurrency").glob("*.py")):
        text = file.read_text(encoding="utf-8").lower()
        assert [word for word in words if word in text] == [], file.name
