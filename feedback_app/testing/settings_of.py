"""What a plugin's settings say of the test: the hosts that it would talk to, and the secrets that must not be seen."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretBytes, SecretStr

from feedback_app.settings.redaction import is_secret
from feedback_app.testing.guard import is_here

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SHORTEST = 4  # characters of a secret; a shorter one is found in any text
_LARGEST = 4096  # bytes of a file that holds a secret


def hosts_elsewhere(table: Mapping[str, object]) -> list[str]:
    """Return the hosts in a table as it is written that are not this machine: of URLs, and of keys of hosts.

    Of a model's defaults, which are not written, the guard sees what is used.
    """
    found = []
    for key, value in _leaves("", table):
        if not isinstance(value, str):
            continue
        with contextlib.suppress(ValueError):
            host = urlsplit(value).hostname if "://" in value else value if key.endswith("host") else None
            if host and not is_here(host):
                found.append(host)
    return found


def secrets_of(table: object) -> list[str]:
    """Return the secrets in the settings: by the type or the name of the key, and out of files."""
    found = [secret for key, value in _leaves("", table) if (secret := _secret(key, value).strip())]
    return [secret for secret in found if len(secret) >= _SHORTEST]


def _secret(key: str, value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, SecretBytes):
        return value.get_secret_value().decode(errors="replace")
    if isinstance(value, str) and is_secret(key):
        return value
    if isinstance(value, Path | str) and is_secret(key.removesuffix("_file")) and key.endswith("_file"):
        with contextlib.suppress(OSError):
            if (file := Path(value)).is_file():
                with file.open("rb") as stream:
                    return stream.read(_LARGEST).decode(errors="replace")
    if isinstance(value, str) and "://" in value:
        with contextlib.suppress(ValueError):
            return urlsplit(value).password or ""
    return ""


def _leaves(key: str, value: Any) -> Iterator[tuple[str, object]]:
    """Yield (key, value) for whatever is no table and no list."""
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    elif isinstance(value, SimpleNamespace):
        value = vars(value)
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(str(name), inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _leaves(key, inner)
    else:
        yield key, value
