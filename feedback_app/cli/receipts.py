"""`feedback-app messages bounces ingest` and `receipts ingest`: what far sides say of messages later."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct, json

from feedback_app.cli import completing
from feedback_app.cli.context import echo_json, json_option
from feedback_app.cli.typed import NAME
from feedback_app.errors import BadData, ForgedReceipt, UsageError
from feedback_app.model import ReceiptRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from feedback_app.cli.context import Program
    from feedback_app.contracts import Notifier
    from feedback_app.delivery.receipts import Receipts
    from feedback_app.store.store import Store

_SAID = {
    "delivered": "delivered",
    "delayed": "delayed",
    "failed": "failed",
    "known": "known before",
    "strange": "of no message of ours",
    "other": "no notifications",
}


@click.group()
def bounces() -> None:
    """Take in mails that say that a mail was not delivered."""


@bounces.command(name="ingest")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def ingest_bounces(program: Program, paths: tuple[Path, ...], *, as_json: bool) -> None:
    """Read mails: files, folders of files, Maildirs. Nothing in them is changed; the same mail twice counts once.

    A mail to a mailbox that is none suppresses the address. What was not delivered goes by the customer's next channel.
    """
    from feedback_app.delivery import bounces as reading

    problems: list[str] = []
    files = list(_mails(paths))

    async def work(receipts: Receipts) -> None:
        for file in files:
            try:
                found = reading.read(file.read_bytes())
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                problems.append(f"{file}: {reason}")
                continue
            if not found:
                receipts.counts["other"] += 1
            for one in found:
                await receipts.bounced(one)

    _say(_with_receipts(program, work), problems, as_json=as_json)


@click.group()
def receipts() -> None:
    """Take in what gateways say of messages later."""


@receipts.command(name="ingest")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--channel",
    metavar="NAME",
    type=NAME,
    required=True,
    shell_complete=completing.channels,
    help="Whose gateway sent them.",
)
@json_option
@click.pass_obj
def ingest_receipts(program: Program, file: Any, channel: str, *, as_json: bool) -> None:
    """Read a gateway's requests from FILE, - for standard input: one JSON object a line.

    {"url": "https://…", "method": "POST", "headers": {…}, "body": "…"}, or "body_base64". The channel's plugin checks
    whose they are; forged ones are refused.
    """
    problems: list[str] = []

    async def work(noting: Receipts, providers: Sequence[Notifier]) -> None:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                for one in _read(providers, _request(line)):
                    await noting.note(one, channel=channel)
            except ForgedReceipt as error:
                problems.append(f"{file.name}:{number}: forged: {error}")
            except ValueError as error:
                problems.append(f"{file.name}:{number}: {error}")

    _say(_with_receipts(program, work, channel), problems, as_json=as_json)


def _read(providers: Sequence[Notifier], request: ReceiptRequest) -> Sequence[Any]:
    """Let the channel's providers say what a request means; the first that takes it for its own."""
    refused: ForgedReceipt | None = None
    for one in providers:
        try:
            return one.read_receipts(request)
        except ForgedReceipt as error:
            refused = refused or error
    assert refused is not None
    raise refused


class _Line(Struct):
    url: str
    method: str = "POST"
    headers: dict[str, str] = {}
    body: str = ""
    body_base64: bytes = b""


def _request(line: bytes) -> ReceiptRequest:
    """Return the request that a line describes. Raises ValueError with a sentence."""
    found = json.decode(line, type=_Line)
    return ReceiptRequest(
        url=found.url,
        method=found.method,
        headers={name.lower(): value for name, value in found.headers.items()},
        body=found.body_base64 or found.body.encode(),
    )


def _mails(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files: of a Maildir those of `new` and `cur`, of another folder all of it. Raises UsageError."""
    for path in paths:
        if path.is_dir():
            folders = [path / "new", path / "cur"] if (path / "cur").is_dir() else [path]
            for folder in folders:
                yield from sorted(
                    one for one in folder.iterdir() if one.is_file() and not one.name.startswith(".")
                )
        elif path.is_file():
            yield path
        else:
            raise UsageError(f"there is no file or folder {path}")


def _with_receipts(program: Program, work: Any, channel: str | None = None) -> dict[str, int]:
    """Run `work` with what notes receipts, and with the channel's providers; returns what came of it."""
    from feedback_app import assembly
    from feedback_app.clock import now_ms
    from feedback_app.delivery.fallback import FallBack
    from feedback_app.delivery.receipts import Receipts

    settings = program.settings()
    host = assembly.load_plugins(settings)
    providers = [one.notifier for one in host.notifiers.get(channel or "", ())]
    if channel is not None and not providers:
        raise UsageError(f"no plugin serves the channel '{channel}'; there are: {', '.join(host.notifiers)}")

    async def main(store: Store) -> dict[str, int]:
        pipeline = assembly.pipeline_of(settings, host, ledger_id=store.ledger_id)
        receipts = Receipts(store, FallBack(store, pipeline, on_queued=lambda: None), clock=now_ms)
        await (work(receipts) if channel is None else work(receipts, providers))
        return dict(receipts.counts)

    return program.with_store(main)


def _say(counts: dict[str, int], problems: Sequence[str], *, as_json: bool) -> None:
    """Print what came of it; problems end with 65."""
    if as_json:
        echo_json({**{name: counts.get(name, 0) for name in _SAID}, "refused": len(problems)})
    else:
        said = ", ".join(f"{counts[name]:,} {word}" for name, word in _SAID.items() if counts.get(name))
        click.echo(said or "nothing new")
    if problems:
        raise BadData("\n".join(problems))
