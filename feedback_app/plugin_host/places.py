"""Says where something is written in the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feedback_app.settings import Settings


def written_at(settings: Settings, *place: str) -> str:
    """Return "config.toml: [plugins] required", the environment variable, or only the key for a default."""
    key = f"[{'.'.join(place[:-1])}] {place[-1]}"
    origin = settings.origins.get(place)
    if origin is None:
        return key
    return origin.name if origin.variable else f"{origin.name}: {key}"


def table_at(settings: Settings, *place: str) -> str:
    """Return "config.toml: [plugins.console]", or the environment variable that set a key of the table."""
    inside = (origin for at, origin in settings.origins.items() if at[: len(place)] == place)
    origin = settings.origins.get(place) or next(inside, None)
    table = f"[{'.'.join(place)}]"
    if origin is None:
        return table
    return origin.name if origin.variable else f"{origin.name}: {table}"
