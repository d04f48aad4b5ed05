"""Ratings from a stream of Redis or Valkey, by a consumer group.

Settings, `[plugins.redis_stream]`: see `Settings`. Entries are acknowledged (XACK), not deleted: trim the stream when
you add to it (XADD … MAXLEN ~ N), by more than the group can ever be behind.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic asks for it
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from feedback_app import Source, hookimpl
from feedback_app.plugins._settings_checks import check_port, need, read_secret
from feedback_app.plugins._source_settings import SourceName, SourceSettings


class Settings(SourceSettings):
    """The table `[plugins.redis_stream]`."""

    url: str  # redis://HOST:PORT/DB, rediss:// with TLS, or unix:///path
    stream: str = Field(min_length=1)  # the key
    group: str = Field(default="feedback_app", min_length=1)  # of consumers; made when it is not there
    payload: str = Field(
        default="payload", min_length=1
    )  # the field with the JSON object; "*": the fields are it
    claim_after: float = Field(
        default=30.0, gt=0
    )  # seconds after which a dead daemon's entries are taken over
    name: SourceName = "redis_stream"  # the `source` of its ratings
    username: str | None = Field(default=None, min_length=1)
    password: SecretStr | None = Field(default=None, min_length=1)
    password_file: Path | None = None

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("not a URL of Redis; write redis://localhost:6379/0")
        check_port(value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.password is not None and self.password_file is not None:
            raise ValueError("password and password_file are both given; keep one")
        return self


@hookimpl
def make_source(settings: Settings) -> Source:
    """Return the source of the stream. Raises ValueError when the package is missing or the password unreadable."""
    need("redis", "redis")
    from feedback_app.plugins._redis_group import RedisGroup

    password = read_secret("password", settings.password, settings.password_file)
    return RedisGroup(settings, password.get_secret_value() if password else None)
