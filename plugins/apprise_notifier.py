"""A channel for each service that the library Apprise reaches, and `apprise` for customers' own URLs.

Settings, `[plugins.apprise_notifier]`: see `Settings`. Without them the plugin is idle. Needs the extra `apprise`.
"""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic asks for it
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from feedback_app import (
    ChannelDown,
    Customer,
    Message,
    Notifier,
    PermanentFailure,
    Receipt,
    TemporaryFailure,
    hookimpl,
)
from feedback_app.plugins._placeholders import check_names, fill, in_url, names_in
from feedback_app.plugins._settings_checks import need, read_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from feedback_app.plugins._apprise import Sender

_OWN = "apprise"  # the channel of customers' own URLs
_LONGEST_URL = 2048
_OWN_URL = re.compile(r"([a-z0-9]{1,32})://[^?\s]+")  # a query can name files of ours, or switch checks off

Channel = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=63)]
Schema = Annotated[str, Field(pattern=r"^[a-z0-9]{1,32}$")]


class Settings(BaseModel):
    """The table `[plugins.apprise_notifier]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    urls: dict[
        Channel, SecretStr
    ] = {}  # channel → Apprise's URL; {recipient} is the customer's address there
    url_files: dict[Channel, Path] = {}  # the same, for URLs that stand in files of their own
    schemas: list[
        Schema
    ] = []  # what may stand before :// in a customer's own URL; none: no channel `apprise`

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if twice := self.urls.keys() & self.url_files.keys():
            raise ValueError(f"{min(twice)} stands in urls and in url_files; keep one")
        if self.schemas and _OWN in self.urls.keys() | self.url_files.keys():
            raise ValueError(
                f"with schemas, the channel {_OWN} is for customers' own URLs; call yours otherwise"
            )
        return self


class AppriseNotifier(Notifier):
    """Sends messages by the service behind one URL; most take no idempotency key."""

    timeout = 60.0
    on_unknown = "hold"

    def __init__(self, channel: str, url: SecretStr, sender: Sender) -> None:
        self.channel = channel
        self._url = url
        self._is_personal = "recipient" in names_in(url.get_secret_value())
        self._sender = sender

    def address(self, customer: Customer) -> str | None:
        """Return the address stored for the channel; where the URL has no place for one, anything will do."""
        stored = customer.addresses.get(self.channel)
        return stored if self._is_personal else stored or customer.id

    async def send(self, message: Message) -> Receipt:
        """Send the message."""
        url = fill(self._url.get_secret_value(), {"recipient": message.recipient}, in_url)
        return await self._sender.send(url, message)

    async def close(self) -> None:
        """Let the threads end."""
        self._sender.close()


class OwnUrlNotifier(Notifier):
    """Sends messages by the URL that is stored as the customer's address for `apprise`."""

    channel = _OWN
    timeout = 60.0
    on_unknown = "hold"

    def __init__(self, schemas: Sequence[str], sender: Sender) -> None:
        self._schemas = frozenset(schemas)
        self._sender = sender

    def address(self, customer: Customer) -> str | None:
        """Return the customer's URL where such URLs are allowed."""
        stored = customer.addresses.get(self.channel)
        return stored if stored and self._allows(stored) else None

    async def send(self, message: Message) -> Receipt:
        """Send the message; one customer's service that is down stops nobody else's messages."""
        if not self._allows(message.recipient):
            raise PermanentFailure("the customer's URL is not of a kind that `schemas` allows")
        try:
            return await self._sender.send(message.recipient, message)
        except ChannelDown as error:
            if error.reason.startswith("cannot connect"):
                raise TemporaryFailure(error.reason) from None
            raise PermanentFailure(error.reason) from None

    async def close(self) -> None:
        """Let the threads end."""
        self._sender.close()

    def _allows(self, url: str) -> bool:
        match = _OWN_URL.fullmatch(url) if len(url) <= _LONGEST_URL else None
        return match is not None and match[1] in self._schemas


@hookimpl
def make_notifier(settings: Settings) -> list[Notifier] | None:
    """Return a notifier for each URL. Raises ValueError for one that cannot work, and where the package is missing."""
    if not (settings.urls or settings.url_files or settings.schemas):
        return None
    need("apprise", "apprise")
    from feedback_app.plugins._apprise import Sender

    made: list[Notifier] = [AppriseNotifier(channel, url, Sender()) for channel, url in _urls(settings)]
    if settings.schemas:
        made.append(OwnUrlNotifier(settings.schemas, Sender()))
    return made


def _urls(settings: Settings) -> Iterator[tuple[str, SecretStr]]:

    named = {f"urls.{channel}": (channel, url) for channel, url in settings.urls.items()}
    for channel, file in settings.url_files.items():
        if url := read_secret(f"url_files.{channel}: url", None, file):
            named[f"url_files.{channel}"] = (channel, url)
    for key, (channel, url) in named.items():
        try:
            _check(url.get_secret_value())
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
        yield channel, url


def _check(url: str) -> None:
    from feedback_app.plugins._apprise import service

    check_names(url, ("recipient",))
    if "{" in re.split("[/?]", url.partition("://")[2], maxsplit=1)[0]:
        raise ValueError("{recipient} must not stand in the host")
    service(fill(url, {"recipient": "1234567890"}, in_url))
