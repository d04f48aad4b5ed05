"""Ratings from a queue that speaks the SQS API: of a cloud, or of what imitates it.

Settings, `[plugins.cloud_queue]`: see `Settings`. Without keys in them the usual places are looked at: environment,
shared files, the machine's role.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic asks for it
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from feedback_app import Source, hookimpl
from feedback_app.plugins._settings_checks import check_port, need, read_secret
from feedback_app.plugins._source_settings import SourceName, SourceSettings


class Settings(SourceSettings):
    """The table `[plugins.cloud_queue]`."""

    queue: str = Field(min_length=1)  # its name or its URL
    region: str | None = Field(default=None, min_length=1)  # None: as the environment says
    endpoint_url: str | None = None  # of a service that imitates the API; None: the cloud's own
    visibility: int = Field(
        default=60, ge=1, le=43_200
    )  # seconds that a message is hidden; extended while working
    wait: int = Field(default=5, ge=1, le=20)  # seconds that one poll waits for messages
    name: SourceName = "cloud_queue"  # the `source` of its ratings
    access_key_id: str | None = Field(default=None, min_length=1)
    secret_access_key: SecretStr | None = Field(default=None, min_length=1)
    secret_access_key_file: Path | None = None

    @field_validator("endpoint_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("not a URL; write https://HOST")
        if value is not None:
            check_port(value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        has_secret = self.secret_access_key is not None or self.secret_access_key_file is not None
        if self.secret_access_key is not None and self.secret_access_key_file is not None:
            raise ValueError("secret_access_key and secret_access_key_file are both given; keep one")
        if has_secret != (self.access_key_id is not None):
            raise ValueError("access_key_id and its secret are given together, or neither")
        return self


@hookimpl
def make_source(settings: Settings) -> Source:
    """Return the source of the queue. Raises ValueError when the package is missing or the key unreadable."""
    need("aiobotocore", "cloud")
    from feedback_app.plugins._sqs_queue import SqsQueue

    secret = read_secret("secret_access_key", settings.secret_access_key, settings.secret_access_key_file)
    return SqsQueue(settings, secret.get_secret_value() if secret else None)
