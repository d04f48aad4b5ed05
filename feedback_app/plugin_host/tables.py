"""Makes of a plugin's table in the configuration what its hooks are handed."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from feedback_app.plugin_host.blame import MisfitError, RefusedSettings
from feedback_app.settings.problems import model_at, problem_lines
from feedback_app.settings.redaction import HIDDEN, is_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feedback_app.settings import Settings


def read_table(plugin: object, name: str, settings: Settings) -> object | None:
    """Return the plugin's own table, `[plugins.NAME]`: its model `Settings`, or a namespace.

    None stands for a plugin that needs settings and has got none at all. Raises RefusedSettings with a line
    for each value that the model refuses, MisfitError when `Settings` is no model, and what its code raises.
    """
    table = copy.deepcopy(settings.plugins.tables.get(name, {}))
    model = getattr(plugin, "Settings", None)
    if model is None:
        return _namespace(table, f"[plugins.{name}]")
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise MisfitError("Settings must be a pydantic model: class Settings(BaseModel)")
    try:
        # A key that nobody reads is a slip; only a model that says so itself may take more.
        checked = model.model_validate(table, extra=None if "extra" in model.model_config else "forbid")
    except ValidationError as error:
        if name not in settings.plugins.tables:
            return None
        shown = _without_secrets(error, model)
        raise RefusedSettings(*problem_lines(shown, model, settings.origins, ("plugins", name))) from None
    anchored: object = _anchored(checked, settings.directory)
    return anchored


def _namespace(table: Mapping[str, Any], where: str) -> SimpleNamespace:
    class Table(SimpleNamespace):
        def __getattr__(self, key: str) -> Any:  # reached only where there is no such key
            raise AttributeError(f"{where} has no key '{key}'")

    inner = {
        key: _namespace(value, f"{where[:-1]}.{key}]") if isinstance(value, dict) else value
        for key, value in table.items()
    }
    return Table(**inner)


def _anchored(value: Any, directory: Path) -> Any:
    """Return the settings with relative paths starting at the configuration's folder."""
    if isinstance(value, Path):
        return directory / value
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return value.model_copy(
            update={field: _anchored(getattr(value, field), directory) for field in fields}
        )
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_anchored(entry, directory) for entry in value)
    if type(value) is dict:
        return {key: _anchored(entry, directory) for key, entry in value.items()}
    return value


def _without_secrets(error: ValidationError, model: type[BaseModel]) -> ValidationError:
    """Return the same error with hidden inputs where the key or its type says that they are secret."""
    return ValidationError.from_exception_data(
        error.title,
        [
            InitErrorDetails(
                type=PydanticCustomError(details["type"], details["msg"], details.get("ctx")),
                loc=details["loc"],
                input=HIDDEN if _is_secret(details["loc"], model) else details["input"],
            )
            for details in error.errors(include_url=False)
        ],
    )


def _is_secret(loc: tuple[int | str, ...], model: type[BaseModel]) -> bool:
    keys = tuple(part for part in loc if isinstance(part, str))
    if any(is_secret(key) for key in keys):
        return True
    for end in range(1, len(keys) + 1):
        table = model_at(model, keys[: end - 1])
        field = table.model_fields.get(keys[end - 1]) if table else None
        if field and _holds_secret(field.annotation):
            return True
    return False


def _holds_secret(annotation: object) -> bool:
    if annotation in (SecretStr, SecretBytes):
        return True
    return any(_holds_secret(part) for part in get_args(annotation))
