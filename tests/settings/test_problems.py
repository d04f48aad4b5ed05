"""A plugin's own model is checked in the words of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from feedback_app.settings import load_settings
from feedback_app.settings.problems import problem_lines

if TYPE_CHECKING:
    from pathlib import Path


class PluginSettings(BaseModel):
    """What a plugin may declare."""

    model_config = ConfigDict(extra="forbid")

    sender: str
    port: int = Field(default=25, ge=1, le=65535)
    tls: Literal["none", "starttls"] = "none"
    password: str = Field(default="", max_length=3)
    password_file: str = ""

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password and self.password_file:
            raise ValueError("password and password_file exclude each other")
        return self


def check(tmp_path: Path, table: str, **environ: str) -> tuple[str, ...]:
    """Load a plugin's table and return what its model has to say."""
    (tmp_path / "config.toml").write_text(f"[plugins.mine]\n{table}\n", encoding="utf-8")
    settings = load_settings(environ=environ, directory=tmp_path)
    try:
        PluginSettings.model_validate(settings.plugins.tables["mine"])
    except ValidationError as error:
        return problem_lines(error, PluginSettings, settings.origins, ("plugins", "mine"))
    return ()


def test_a_plugins_table_is_checked_like_all_others(tmp_path: Path) -> None:
    """Origin, place, value and suggestion are the same, and its secrets stay secret."""
    found = check(
        tmp_path,
        "tls = 'ssl'\nprt = 1\npassword = 'hunter2'",
        FEEDBACK_APP_PLUGINS__MINE__PORT="70000",
    )

    assert found == (
        "config.toml: [plugins.mine] sender: is required",
        "FEEDBACK_APP_PLUGINS__MINE__PORT: must be at most 65535, got 70000",
        "config.toml: [plugins.mine] tls: must be 'none' or 'starttls', got 'ssl'",
        "config.toml: [plugins.mine] password: String should have at most 3 characters",
        "config.toml: [plugins.mine] prt: unknown key, did you mean 'port'?",
    )


def test_a_rule_about_the_whole_table_names_the_table(tmp_path: Path) -> None:
    """Such a rule speaks for itself; the table with its secrets is not shown."""
    found = check(tmp_path, "sender = 'a'\npassword = 'x'\npassword_file = 'y'")

    assert found == ("config.toml: [plugins.mine]: password and password_file exclude each other",)


def test_a_plugin_without_a_table_has_no_origin(tmp_path: Path) -> None:
    """What is missing everywhere is said with its place alone."""
    try:
        PluginSettings.model_validate({})
    except ValidationError as error:
        found = problem_lines(error, PluginSettings, {}, ("plugins", "mine"))

    assert found == ("[plugins.mine] sender: is required",)
