"""Ratings from a stream of NATS JetStream, by a durable pull consumer.

Settings, `[plugins.nats_jetstream]`: see `Settings`. The stream must be there; the consumer is made where it is not.
"""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic asks for it
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from feedback_app import Source, hookimpl
from feedback_app.plugins._settings_checks import check_port, need, read_secret
from feedback_app.plugins._source_settings import SourceName, SourceSettings


def _is_url(value: str) -> str:
    if not value.startswith(("nats://", "tls://", "ws://", "wss://")):
        raise ValueError("not a URL of NATS; write nats://localhost:4222")
    check_port(value)
    return value


def _is_name(value: str) -> str:
    if not re.fullmatch(r"[^\s.*>/\\]{1,255}", value):
        raise ValueError("a name is wanted, without blanks and without . * > / \\")
    return value


Name = Annotated[str, AfterValidator(_is_name)]  # of a stream or a consumer


class Settings(SourceSettings):
    """The table `[plugins.nats_jetstream]`."""

    servers: Annotated[list[Annotated[str, AfterValidator(_is_url)]], Field(min_length=1)]  # of one cluster
    stream: Name
    durable: Name = "feedback_app"  # the consumer that all daemons share
    subject: str | None = None  # only messages with this subject; None: all of the stream
    ack_wait: float = Field(
        default=60.0, ge=0.5, le=3600
    )  # seconds after which what was not acknowledged comes again
    name: SourceName = "nats_jetstream"  # the `source` of its ratings
    username: str | None = Field(default=None, min_length=1)
    password: SecretStr | None = Field(default=None, min_length=1)
    password_file: Path | None = None
    credentials_file: Path | None = None  # a .creds file, instead of a password

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.password is not None and self.password_file is not None:
            raise ValueError("password and password_file are both given; keep one")
        return self


@hookimpl
def make_source(settings: Settings) -> Source:
    """Return the source of the stream. Raises ValueError when the package is missing or the password unreadable."""
    need("nats", "nats")
    from feedback_app.plugins._jetstream_consumer import JetStreamConsumer

    password = read_secret("password", settings.password, settings.password_file)
    return JetStreamConsumer(settings, password.get_secret_value() if password else None)
