"""A gateway for text messages that is spoken to as its settings say."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from feedback_app import OutcomeUnknown, Receipt
from feedback_app.plugins._http_gateway import ANSWER_LIMIT, Answer, HttpGateway, refusal
from feedback_app.plugins._placeholders import Json, as_it_is, escape_for, fill, fill_json, in_url
from feedback_app.plugins._redaction import piece_of, presentable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feedback_app.plugins._sms import Sms
    from feedback_app.plugins._sms_http_settings import HttpSettings

_LOOKED_AT = 4096  # letters of an answer that regular expressions see


class HttpSms:
    """Hands text messages to a gateway by requests made of templates."""

    def __init__(
        self, url: str, settings: HttpSettings, secret: str = "", answer_limit: float = ANSWER_LIMIT
    ) -> None:
        self._url = url
        self._settings = settings
        self._secret = secret
        self._gateway = HttpGateway(url, answer_limit)

    async def check(self) -> str:
        """Reach the gateway, as `HttpGateway.reach`."""
        return await self._gateway.reach()

    async def open(self) -> None:
        """Connect only when there is a message: a gateway that is down must not stop the start."""

    async def close(self) -> None:
        """Close all connections."""
        await self._gateway.close()

    async def submit(self, sms: Sms, now: float) -> Receipt:
        """Hand the message in; raises what `Notifier.send` may raise."""
        values = {
            "id": sms.message_id,
            "to": sms.recipient,
            "number": sms.recipient[1:],
            "sender": sms.sender,
            "text": sms.text,
            "secret": self._secret,
        }
        headers = {name: fill(value, values, as_it_is) for name, value in self._settings.headers.items()}
        if self._settings.idempotency_header:
            headers[self._settings.idempotency_header] = sms.message_id
        content_type, body = self._body(values)
        if content_type:
            headers = {"Content-Type": content_type, **headers}
        url = fill(self._url, values, in_url)
        return self._receipt(await self._gateway.ask(self._settings.method, url, headers, body), values, now)

    def _body(self, values: Mapping[str, str]) -> tuple[str, bytes]:
        settings = self._settings
        if settings.body_form is not None:
            form = {name: fill(value, values, as_it_is) for name, value in settings.body_form.items()}
            return "application/x-www-form-urlencoded", urlencode(form).encode()
        if settings.body_json is not None:
            return "application/json", json.dumps(fill_json(settings.body_json, values)).encode()
        if settings.body_raw is not None:
            escape = escape_for(settings.content_type) or as_it_is
            return settings.content_type, fill(settings.body_raw, values, escape).encode()
        return "", b""

    def _receipt(self, answer: Answer, values: Mapping[str, str], now: float) -> Receipt:
        piece = piece_of(answer.body, [values[name] for name in ("secret", "text", "to", "number")])
        said = f"answered {answer.status}"
        settings = self._settings
        if answer.status not in settings.success_status:
            raise refusal(answer, f"{self._gateway} {said}", now, piece=piece, lost_is_down=True)
        said += f": {piece}" if piece else ""
        text = answer.body.decode("utf-8", "replace")
        content = _json(text) if settings.success_json or settings.id_json else None
        pattern = settings.success_regex
        if not all(_is(_at(content, place), wanted) for place, wanted in settings.success_json.items()) or (
            pattern is not None and not re.search(pattern, text[:_LOOKED_AT])
        ):
            raise OutcomeUnknown(f"{self._gateway} {said}; that is no success as it is configured")
        return Receipt(provider_id=self._id(content, text), detail=said)

    def _id(self, content: Json, text: str) -> str | None:
        """Return the gateway's id; one that is missing changes nothing: the message was taken."""
        if self._settings.id_json and isinstance(found := _at(content, self._settings.id_json), str | int):
            return presentable(str(found)) or None
        if self._settings.id_regex and (match := re.search(self._settings.id_regex, text[:_LOOKED_AT])):
            return presentable(match[1] or "") or None
        return None


def _json(text: str) -> Json:
    try:
        return cast("Json", json.loads(text))
    except (ValueError, RecursionError):
        return None


def _at(content: Json, place: str) -> Json:
    """Return what stands at a place such as "messages.0.id", None for nothing."""
    for step in place.split("."):
        if isinstance(content, dict):
            content = content.get(step)
        elif isinstance(content, list) and step.isdecimal() and int(step) < len(content):
            content = content[int(step)]
        else:
            return None
    return content


def _is(found: Json, wanted: str | int | bool) -> bool:
    """Say whether it is the same; numbers may be written as texts."""
    return found is not None and (found == wanted or str(found) == str(wanted))
