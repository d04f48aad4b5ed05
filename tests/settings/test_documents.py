"""The shipped config.toml and the documentation say what the program does."""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from feedback_app.cli import run_command_line
from feedback_app.settings import Settings, load_settings
from feedback_app.settings.schema import ChannelSettings, LimitSettings, ReportSettings, Tables

SHIPPED = (
    "analysis_section",
    "apprise_notifier",
    "console_notifier",
    "disagreement",
    "email_notifier",
    "file_notifier",
    "keyword_tags",
    "language",
    "settled_log",
    "sms_notifier",
    "vader_sentiment",
    "webhook_notifier",
)
ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "config.toml"
GUIDE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def plugin_model(plugin: str) -> type[BaseModel]:
    """Return the model by which a shipped plugin checks its table."""
    model: type[BaseModel] = importlib.import_module(f"feedback_app.plugins.{plugin}").Settings
    return model


def defaults() -> dict[str, dict[str, Any]]:
    """Return every key of every table with its default, in the notation of the file."""
    tables = Tables().model_dump(mode="json")
    del tables["channels"], tables["limits"]
    tables["reports.NAME"] = tables.pop("reports")["daily"]
    return tables


def documented(table: str) -> dict[str, str]:
    """Return the keys and defaults that the guide's section on a table lists, as they are written."""
    section = re.search(rf"^##+ `\[{re.escape(table)}\]`.*?(?=^##|\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert section, f"docs/configuration.md has no section on [{table}]"
    rows = re.findall(r"^\| `(\w+)` \|[^|]+\| ([^|]+?) \|", section[0], re.MULTILINE)
    return {key: default.strip("`") for key, default in rows}


def test_the_shipped_file_holds_every_key_with_its_default() -> None:
    """Neither a key nor a default drifts."""
    written = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    written["reports.NAME"] = written.pop("reports")["daily"]

    assert defaults() == written


def test_the_shipped_file_is_fit_to_run() -> None:
    """Loading it changes nothing against having none."""
    settings = load_settings(SAMPLE, environ={})

    assert Settings().redacted() == settings.redacted()
    assert settings.warnings == ()


def test_the_shipped_files_examples_are_fit_too(tmp_path: Path) -> None:
    """What is commented out as an example can be used by deleting the mark."""
    text = SAMPLE.read_text(encoding="utf-8")
    examples = re.findall(r"^# ((?:\[|\w+ = ).*)$", text, re.MULTILINE)
    (tmp_path / "config.toml").write_text("\n".join([text, *examples]), encoding="utf-8")

    settings = load_settings(environ={}, directory=tmp_path)

    assert settings.plugins.tables.keys() == set(SHIPPED)
    for plugin in SHIPPED:
        plugin_model(plugin).model_validate(settings.plugins.tables[plugin])
    assert {"daily", "evening"} == settings.reports.keys()
    assert {"email"} == settings.channels.keys()
    assert {"email_notifier"} == settings.limits.keys()


@pytest.mark.parametrize("table", list(defaults()))
def test_the_guide_lists_every_key_with_its_default(table: str) -> None:
    """A new key needs a line, a new default a new line."""
    listed = {key: tomllib.loads(f"value = {default}")["value"] for key, default in documented(table).items()}

    assert defaults()[table] == listed


@pytest.mark.parametrize("table", [*SHIPPED, "sms_notifier.http"])
def test_the_guide_lists_every_key_of_the_shipped_plugins(table: str) -> None:
    """Plugins check their tables themselves, but users look for the keys here."""
    listed = documented(f"plugins.{table}")
    plugin, _, inner = table.partition(".")
    model = plugin_model(plugin)
    if inner:
        model = type(model.model_fields[inner].default)

    assert listed.keys() == model.model_fields.keys()
    for key, field in model.model_fields.items():
        if field.is_required():
            assert listed[key] == "must be given"
        elif field.default is not None and not isinstance(field.default, BaseModel):
            shown = model.model_construct().model_dump(mode="json", include={key})[key]
            assert shown == tomllib.loads(f"value = {listed[key]}")["value"]


def test_the_guide_lists_what_has_no_default() -> None:
    """Tables that are not there by default have keys too."""
    assert ChannelSettings.model_fields.keys() == documented("channels.NAME").keys()
    assert LimitSettings.model_fields.keys() == documented("limits.PLUGIN").keys()
    assert ReportSettings.model_fields.keys() == documented("reports.NAME").keys()


def test_the_json_schema_knows_every_table() -> None:
    """Editors complete and check by it; the program's own bookkeeping is not in it."""
    schema = Settings.json_schema()

    assert Tables.model_fields.keys() == schema["properties"].keys()
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["DaemonSettings"]["properties"]["grace"]["type"] == "string"


def test_editors_get_the_schema_by_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, and it needs no configuration that is fit."""
    assert run_command_line(["--config", "nowhere.toml", "config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == Settings.json_schema()
