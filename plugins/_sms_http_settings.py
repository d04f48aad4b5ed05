"""The table `[plugins.sms_notifier.http]`: how a gateway is spoken to that has no plugin of its own."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic asks for it
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from feedback_app.plugins._placeholders import check_names, escape_for, names_in, texts_in
from feedback_app.plugins._settings_checks import check_web_address

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("id", "to", "number", "sender", "text", "secret")
_IN_HEADERS = ("id", "to", "number", "sender", "secret")  # a text may hold what no header can
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_OUR_OWN = {"connection", "content-length", "host", "transfer-encoding"}
_PRINTABLE = re.compile(r"[!-~]([ -~]*[!-~])?")


def _is_header(name: str) -> str:
    if not _TOKEN.fullmatch(name) or name.lower() in _OUR_OWN:
        raise ValueError("not a name of a header that can be set")
    return name


def _is_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


Pattern = Annotated[str, AfterValidator(_is_pattern)]


class HttpSettings(BaseModel):
    """What is asked, what counts as taken, and where the gateway's id stands.

    Texts may hold `{to}` (+4915112345678), `{number}` (without the plus), `{sender}`, `{text}`, `{id}` (the message's,
    the same at every attempt) and `{secret}`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str | None = None  # names in path and query only
    method: Literal["POST", "PUT", "GET"] = "POST"
    headers: dict[Annotated[str, AfterValidator(_is_header)], str] = {}
    secret: SecretStr | None = Field(default=None, min_length=1)  # what {secret} stands for
    secret_file: Path | None = None
    body_form: dict[str, str] | None = None  # one of these three
    body_json: dict[str, Any] | None = None
    body_raw: str | None = None  # values are escaped as the next one asks for
    content_type: str = "text/plain; charset=utf-8"  # of body_raw
    success_status: Annotated[list[Annotated[int, Field(ge=200, le=299)]], Field(min_length=1)] = [
        200,
        201,
        202,
    ]
    success_json: dict[str, str | int | bool] = {}  # place in the answer → what must stand there
    success_regex: Pattern | None = None  # what must be found in the first 4096 letters of the answer
    id_json: str | None = None  # the place of the gateway's own id, such as "messages.0.id"
    id_regex: Pattern | None = None  # its first group is the id
    idempotency_header: Annotated[str, AfterValidator(_is_header)] | None = None  # gets {id}

    @field_validator("url")
    @classmethod
    def _safe_url(cls, value: str | None) -> str | None:
        if value is not None:
            check_names(value, NAMES)
            check_web_address(re.sub(r"\{[a-z]+\}", "x", value), may_have_query=True)
            if "{" in value.split("/", 3)[2]:
                raise ValueError("the host must stand in it as it is")
        return value

    @field_validator("headers")
    @classmethod
    def _plain_values(cls, value: dict[str, str]) -> dict[str, str]:
        for one in value.values():
            check_names(one, _IN_HEADERS)
            if not _PRINTABLE.fullmatch(one):
                raise ValueError("a header holds ASCII letters, digits and signs only")
        return value

    @field_validator("content_type")
    @classmethod
    def _known_type(cls, value: str) -> str:
        if escape_for(value) is None or not _PRINTABLE.fullmatch(value):
            raise ValueError(
                "nothing is known of how to write values in it; there are text/plain, application/json, "
                "application/xml and application/x-www-form-urlencoded"
            )
        return value

    @field_validator("id_regex")
    @classmethod
    def _with_a_group(cls, value: str | None) -> str | None:
        if value is not None and re.compile(value).groups < 1:
            raise ValueError("the id must stand in parentheses, such as 'OK: ([0-9]+)'")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if problems := list(self._problems()):
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        bodies = [self.body_form, self.body_json, self.body_raw]
        texts = f"{texts_in(self.body_form)}{texts_in(self.body_json)}{self.body_raw or ''}"
        try:
            check_names(texts, NAMES)
        except ValueError as error:
            yield f"the body: {error}"
        if sum(body is not None for body in bodies) > 1:
            yield "body_form, body_json and body_raw: keep one"
        if self.method == "GET" and any(body is not None for body in bodies):
            yield "method 'GET' has no body; write the names into url"
        if self.secret is not None and self.secret_file is not None:
            yield "secret and secret_file are both given; keep one"
        if self.url is None:
            return
        used = names_in(f"{self.url}{texts}{''.join(self.headers.values())}")
        if "text" not in used or not used & {"to", "number"}:
            yield "{text} and {to} (or {number}) must stand in url or in a body"
        has_secret = self.secret is not None or self.secret_file is not None
        if ("secret" in used) != has_secret:
            yield "{secret} stands nowhere" if has_secret else "{secret} needs secret or secret_file"
