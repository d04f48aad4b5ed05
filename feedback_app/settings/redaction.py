"""Keeps secrets out of everything that is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

HIDDEN = "***"

_WORDS = r"pass|token|secret|key|auth|credential"
_SECRET = re.compile(
    rf"{_WORDS}|^urls$", re.IGNORECASE
)  # urls: of services, whose tokens stand anywhere in them
# Each begins where the one before ended or at a blank, so that long texts cost no more than their length.
_URL_PASSWORD = re.compile(
    r"(?<!\S)((?>\S*?\w://[^\s:/?#]*:))\S*@"
)  # up to the last @: a password may hold one
_URL_PARAMETER = re.compile(rf"([?&](?=[^\s=&?]*(?:{_WORDS}))[^\s=&?]*)=[^\s&]+", re.IGNORECASE)


def is_secret(key: str) -> bool:
    """Tell whether a key by its name holds a secret; `password_file` does not, it holds a path."""
    return _SECRET.search(key) is not None and not key.lower().endswith("_file")


def redact(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with its secrets, and the passwords in its URLs, hidden."""
    return {
        key: _redact_table(value) if isinstance(value, Mapping) else value for key, value in tables.items()
    }


def _redact_table(table: Mapping[str, Any]) -> dict[str, Any]:
    """Plugins, channels and reports are tables in here; what these are called is no secret."""
    return {
        key: _redact_inside(value) if isinstance(value, Mapping) else _redact_key(key, value)
        for key, value in table.items()
    }


def _redact_key(key: str, value: Any) -> Any:
    return HIDDEN if value and is_secret(key) else _redact_inside(value)


def _redact_inside(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _redact_key(key, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redact_inside(inner) for inner in value]
    return redact_url(value) if isinstance(value, str) else value


def redact_url(text: str) -> str:
    """Hide the secrets of a URL such as postgresql://user:password@host/database?sslkey=secret."""
    return _URL_PARAMETER.sub(rf"\1={HIDDEN}", _URL_PASSWORD.sub(rf"\1{HIDDEN}@", text))


def secrets_in(tables: Mapping[str, Any]) -> Iterator[str]:
    """Yield the places, such as "plugins.email_notifier.password", that `redact` would change."""
    return _differences("", tables, redact(tables))


def _differences(at: str, plain: Mapping[str, Any], redacted: Mapping[str, Any]) -> Iterator[str]:
    for key, value in plain.items():
        if isinstance(value, Mapping) and isinstance(redacted[key], Mapping):
            yield from _differences(f"{at}{key}.", value, redacted[key])
        elif value != redacted[key]:
            yield f"{at}{key}"
