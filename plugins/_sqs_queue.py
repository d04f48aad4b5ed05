"""One queue of the SQS API: messages are hidden while they are worked on, and deleted after the commit."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from feedback_app import Batch, Received, Source, SourceDown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from feedback_app.plugins.cloud_queue import Settings

log = logging.getLogger(__name__)

_AT_ONCE = 10  # messages in one request: the API's own limit
_SIDE_BY_SIDE = 9  # more requests once the first one came back full


class SqsQueue(Source):
    """Polls; while a batch is being committed its messages' invisibility is extended, so that nobody else gets them."""

    def __init__(self, settings: Settings, secret: str | None) -> None:
        self.name = settings.name
        self.map, self.set = settings.map, settings.set
        self._settings = settings
        self._secret = secret
        self._session = get_session()  # it remembers the API's description, which takes long to read
        self._opened = contextlib.AsyncExitStack()
        self._client: Any = None
        self._url = ""
        self._extending: asyncio.Task[None] | None = None

    async def check(self) -> str:
        """Log in and look for the queue."""
        await self.open(None)
        return f"the service answers, the queue {self._url.rpartition('/')[2]} is there"

    async def open(self, position: str | None) -> None:
        """Connect and find the queue."""
        del position  # the queue remembers it
        settings = self._settings
        try:
            self._client = await self._opened.enter_async_context(
                self._session.create_client(
                    "sqs",
                    region_name=settings.region,
                    endpoint_url=settings.endpoint_url,
                    aws_access_key_id=settings.access_key_id,
                    aws_secret_access_key=self._secret,
                    config=AioConfig(
                        connect_timeout=5, read_timeout=settings.wait + 10, retries={"total_max_attempts": 1}
                    ),
                )
            )
        except (BotoCoreError, ValueError) as error:
            raise SourceDown(f"cannot be set up: {error}") from error
        self._url = settings.queue
        if not self._url.startswith(("http://", "https://")):
            self._url = (await self._do(self._client.get_queue_url(QueueName=self._url)))["QueueUrl"]
        await self._counts()

    async def receive(self, limit: int) -> Batch:
        """Wait for messages; where there are many, several requests fetch them."""
        messages = await self._poll(self._settings.wait, min(_AT_ONCE, limit))
        more = min(_SIDE_BY_SIDE, limit // _AT_ONCE - 1)
        if len(messages) == _AT_ONCE and more > 0:
            polls = (self._poll(0) for _ in range(more))
            for found in await asyncio.gather(*polls, return_exceptions=True):
                if isinstance(
                    found, list
                ):  # one that failed must not hide what the others got; the next poll tells
                    messages += found
        if messages:
            handles = [one["ReceiptHandle"] for one in messages]
            self._extending = asyncio.create_task(self._extend(handles), name=f"extend-{self.name}")
        return Batch(
            received=[
                Received(id=one["MessageId"], payload=one["Body"].encode(), handle=one["ReceiptHandle"])
                for one in messages
            ]
        )

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """Delete them."""
        await self._extend_no_more()
        handles = [str(one.handle) for one in received]
        await self._for_each(handles, self._client.delete_message_batch, "delete")

    async def lag(self) -> int | None:
        """Return how many are in the queue, those in hand included; the service counts approximately."""
        counts = await self._counts()
        return sum(map(int, counts.values()))

    async def close(self) -> None:
        """Disconnect; what was received and not deleted appears again."""
        await self._extend_no_more()
        await self._opened.aclose()
        self._opened = contextlib.AsyncExitStack()

    async def _poll(self, wait: int, most: int = _AT_ONCE) -> list[dict[str, Any]]:
        answer = await self._do(
            self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=wait,
                VisibilityTimeout=self._settings.visibility,
            )
        )
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    async def _counts(self) -> dict[str, str]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = await self._do(self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names))
        found: dict[str, str] = answer["Attributes"]
        return found

    async def _extend(self, handles: Sequence[str]) -> None:
        """Hide the messages for longer, again and again, until that is cancelled."""
        visibility = self._settings.visibility
        while True:
            await asyncio.sleep(visibility / 3)
            try:
                await self._for_each(
                    handles,
                    self._client.change_message_visibility_batch,
                    "extend",
                    VisibilityTimeout=visibility,
                )
            except SourceDown as down:
                log.warning("messages may come twice", extra={"source": self.name, "reason": str(down)})

    async def _extend_no_more(self) -> None:
        task, self._extending = self._extending, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _for_each(
        self, handles: Sequence[str], request: Callable[..., Awaitable[Any]], what: str, **facts: object
    ) -> None:
        """Do it for all messages, ten in a request; what fails comes again, which does no harm."""
        failed = 0
        for part in _parts(handles):
            entries = [{"Id": str(at), "ReceiptHandle": handle, **facts} for at, handle in enumerate(part)]
            answer = await self._do(request(QueueUrl=self._url, Entries=entries))
            failed += len(answer.get("Failed", ()))
        if failed:
            log.warning("messages may come twice", extra={"source": self.name, "count": failed, "call": what})

    async def _do(self, request: Awaitable[Any]) -> Any:
        try:
            return await request
        except ClientError as error:
            facts = error.response.get("Error", {})
            code = str(facts.get("Code", ""))
            if "NonExistentQueue" in code or "QueueDoesNotExist" in code:
                raise SourceDown(f"there is no queue {self._settings.queue}") from error
            raise SourceDown(f"the service refuses: {code}") from error
        except (BotoCoreError, OSError, TimeoutError) as error:
            raise SourceDown(f"the service cannot be reached: {type(error).__name__}") from error


def _parts(handles: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(handles), _AT_ONCE):
        yield handles[start : start + _AT_ONCE]
