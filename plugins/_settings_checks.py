"""What the settings of several notifiers share: secrets in files, and talk that stays on this machine."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from pydantic import SecretStr

if TYPE_CHECKING:
    from pathlib import Path

_HOST_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}")
_LONGEST_SECRET = 4096  # bytes; a longer file is surely not the one that was meant


def is_host(name: str) -> bool:
    """Say whether `name` can be the name or the address of a host, without scheme, port or path."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        return True
    try:
        return _HOST_NAME.fullmatch(name.encode("idna").decode()) is not None
    except UnicodeError:
        return False


def is_loopback(host: str) -> bool:
    """Say whether `host` is this very machine, so that nobody can listen on the way."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, 6.3
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def read_secret(key: str, inline: SecretStr | None, file: Path | None) -> SecretStr | None:
    """Return the secret of the setting `key`, from its file where one is named; None when neither is given.

    One line end after it is dropped, as editors and `echo` leave one. Raises ValueError naming key and file.
    """
    if file is None:
        return inline
    try:
        if file.is_fifo():  # reading would wait for a writer, maybe for ever
            raise ValueError(f"{key}_file: {file} is a pipe, a file is wanted")
        with file.open("rb") as stream:
            content = stream.read(_LONGEST_SECRET + 1)
    except OSError as error:
        raise ValueError(f"{key}_file: cannot read {file}: {error.strerror}") from None
    if len(content) > _LONGEST_SECRET:
        raise ValueError(f"{key}_file: {file} is longer than {_LONGEST_SECRET} bytes, so it is not a {key}")
    try:
        secret = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"{key}_file: {file} is not UTF-8 text") from None
    if not secret.strip():
        raise ValueError(f"{key}_file: {file} is empty; write the {key} into it")
    return SecretStr(secret)
