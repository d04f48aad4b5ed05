"""The library Apprise: which services it knows, and what became of a message (https://github.com/caronc/apprise).

It says no more than yes, no or too late. What the service answered stands only in what the library logs, which it
hands over with the result; nothing of that is shown, since it has addresses in it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import apprise

from feedback_app import ChannelDown, OutcomeUnknown, PermanentFailure, Receipt, TemporaryFailure
from feedback_app.plugins._http_gateway import Answer, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feedback_app import Message

ANSWER_LIMIT = 45.0  # seconds for all that a service does, below the notifier's own limit

_MOST_THREADS = 64  # each is made when it is needed

_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")
_NOT_CONNECTED = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeoutError|SSLCertVerificationError|Connection refused|"
    r"Name or service not known"
)


def service(url: str) -> apprise.NotifyBase:
    """Return the service behind a URL. Raises ValueError without the URL; takes half a second at first, to load."""
    _keep_quiet()
    asset = apprise.AppriseAsset(
        app_id="feedback_app",
        allow_templates=False,  # a customer's words are nothing but text
        http_redirects=False,  # the message goes to nobody else
        storage_mode="memory",
        service_timeout=0,  # there is a limit on the whole; one of the library's own needs its threads
    )
    made = apprise.Apprise.instantiate(url, asset=asset)
    if made is None:
        raise ValueError("not a URL that Apprise knows; `apprise --details` lists them")
    return made


class Sender:
    """Sends by services in threads of its own: the library blocks, and keeps its own threads for ever."""

    def __init__(self, limit: float = ANSWER_LIMIT) -> None:
        self._limit = limit
        self._threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="apprise")

    async def send(self, url: str, message: Message) -> Receipt:
        """Send the message by the service behind the URL. Raises what `Notifier.send` may raise.

        Who is cancelled leaves a thread behind that goes on, so the message may leave.
        """
        if not message.text.strip():
            raise PermanentFailure("the text is empty")
        work = asyncio.get_running_loop().run_in_executor(self._threads, _send, url, message)
        try:
            async with asyncio.timeout(self._limit):
                return await work
        except TimeoutError:
            raise OutcomeUnknown("the service gave no answer in time") from None

    def close(self) -> None:
        """Let the threads end; none is waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _send(url: str, message: Message) -> Receipt:
    try:
        one = service(url)
    except ValueError as error:
        raise PermanentFailure(f"the URL of the recipient: {error}") from None
    caller = apprise.Apprise()
    caller.add(one)
    result = caller.notify(
        body=_clean(message.text), title=_clean(message.subject), body_format="text", log_level=logging.DEBUG
    )
    name = str(one.service_name)
    if not result:
        raise _failure(name, [entry.message for entry in result.logs()])
    return Receipt(detail=f"sent by {name}")


def _failure(
    name: str, logged: Iterable[str]
) -> ChannelDown | OutcomeUnknown | PermanentFailure | TemporaryFailure:
    said = "\n".join(logged)
    if statuses := _STATUS.findall(said):
        answer = Answer(status=int(statuses[-1]), body=b"", retry_after=None)
        return refusal(answer, f"{name} answered {answer.status}", 0.0, lost_is_down=True)
    if _NOT_CONNECTED.search(said):
        return ChannelDown(f"cannot connect to {name}")
    return OutcomeUnknown(f"{name} failed and does not say whether the message was sent")


def _clean(text: str) -> str:
    """Half of a letter beyond 16 bits, which a comment may hold, is no text anywhere else."""
    return text.encode("utf-8", "replace").decode()


def _keep_quiet() -> None:
    """Let what the library logs, URLs with their tokens among it, reach its own results and nobody else."""
    log = logging.getLogger("apprise")
    log.propagate = False
    log.setLevel(logging.DEBUG)
    if not log.handlers:
        log.addHandler(logging.NullHandler())  # else logging's last resort prints it
