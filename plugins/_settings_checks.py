"""What the settings of several notifiers share: secrets in files, and talk that stays on this machine."""

from __future__ import annotations

import importlib.util
import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

if TYPE_CHECKING:
    from pathlib import Path

_HOST_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}")
_HEADER_TEXT = re.compile(r"[!-~]([ -~]*[!-~])?")
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


def check_web_address(value: str, *, may_have_query: bool = False) -> str:
    """Return the address of an HTTP service as it is. Raises ValueError for one that is broken or unsafe."""
    parts = urlsplit(value)  # raises ValueError for a broken one
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not a web address; write https://host/path")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("not a web address: other letters than ASCII are written as %C3%A4 and the like")
    check_port(value)
    if parts.username or parts.password:
        raise ValueError("no login may stand in it; the login has settings of its own")
    if parts.fragment or (parts.query and not may_have_query):
        raise ValueError("only host, port and path may stand in it; the login has settings of its own")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("http would show the messages to everybody on the way; use https")
    return value


def check_port(url: str) -> None:
    """Raise ValueError when the URL names a port that cannot be."""
    try:
        is_none = urlsplit(url).port == 0
    except ValueError:
        is_none = True
    if is_none:
        raise ValueError("its port must be a whole number from 1 to 65535")


def check_header_text(key: str, secret: SecretStr) -> None:
    """Raise ValueError naming the key when a secret cannot stand in a header."""
    if not _HEADER_TEXT.fullmatch(secret.get_secret_value()):
        raise ValueError(
            f"{key}: only ASCII letters, digits and signs can be sent, without blanks around them"
        )


def read_secret(key: str, inline: SecretStr | None, file: Path | None) -> SecretStr | None:
    """Return the secret of the setting `key`, from its file where one is named; None when neither is given.

    Line ends after it are dropped, as editors and `echo` leave some. Raises ValueError naming key and file.
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
        secret = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{key}_file: {file} is not UTF-8 text") from None
    if not secret.strip():
        raise ValueError(f"{key}_file: {file} is empty; write the {key} into it")
    return SecretStr(secret)


def need(module: str, extra: str) -> None:
    """Raise ValueError with the command that mends it when a package is not installed."""
    if importlib.util.find_spec(module) is None:
        raise ValueError(
            f"needs the package {module}, which is not installed: pip install 'feedback-app[{extra}]'"
        )
