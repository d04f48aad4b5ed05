"""Faults of far sides, with what is found and what mends it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.doctor.planting import Plant, Planted, config, mail_at, simple
from tests.plugins.scripted_smtp import Script, ScriptedSmtpServer
from tests.servers import LOOPBACK, TLS_DATA, RecordingHttpServer, free_port, server_tls

LOGIN = 'username = "feedback"\npassword = "canary-password"\n'


@contextlib.contextmanager
def mail_server(script: Script, certificate: str = "good.pem") -> Iterator[ScriptedSmtpServer]:
    """Run a mail server that plays a part, in a thread of its own."""
    server = ScriptedSmtpServer(script, server_tls(certificate))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
        yield server
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def mail_that(script: Script, certificate: str = "good.pem", login: str = LOGIN) -> Plant:
    """Configure a mail server that plays a part; whatever its certificate says, its maker is trusted."""

    @contextlib.contextmanager
    def entered(folder: Path) -> Iterator[None]:
        with mail_server(script, certificate) as server, trusting(certificate):
            config(mail_at(server.host, server.port, f'tls = "starttls"\n{login}'))(folder).__enter__()
            yield

    return entered


def trusting(certificate: str) -> AbstractContextManager[object]:
    """Trust who made the certificate."""
    return _environment({"SSL_CERT_FILE": str(TLS_DATA / certificate)})


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@contextlib.contextmanager
def untrusted_webhook(folder: Path) -> Iterator[None]:
    """Configure a receiver with a certificate that nobody knows."""
    with RecordingHttpServer(tls=server_tls()) as server:
        _webhook(folder, server.url)
        yield


def _webhook(folder: Path, url: str) -> None:
    secret = 'secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"'
    (folder / "config.toml").write_text(f'[plugins.webhook_notifier]\nurl = "{url}"\n{secret}\n')


away_redis = simple(
    lambda folder: (folder / "config.toml").write_text(
        f'[plugins.redis_stream]\nurl = "redis://{LOOPBACK}:{free_port()}/0"\nstream = "ratings"\n'
    )
)
closed_port = simple(lambda folder: (folder / "config.toml").write_text(mail_at(LOOPBACK, free_port())))
unknown_host = simple(lambda folder: _webhook(folder, "https://nowhere.invalid/hook"))


PLANTED: dict[str, Planted] = {
    "a mail server that is not there": (
        closed_port,
        "problem",
        "email_notifier: cannot connect to 127.0.0.1:",
        "check [plugins.email_notifier] in {dir}/config.toml",
    ),
    "a mail server that refuses the login": (
        mail_that({"AUTH": "535 5.7.8 no such login feedback canary-password"}),
        "problem",
        " answered 535 5.7.8 no such login (private) (private)",
        "check [plugins.email_notifier]",
    ),
    "a mail server whose certificate is over": (
        mail_that({}, "expired.pem"),
        "problem",
        "certificate has expired",
        "check [plugins.email_notifier]",
    ),
    "a mail server of another name": (
        mail_that({}, "wrong_host.pem"),
        "problem",
        "certificate is not valid for '127.0.0.1'",
        "check [plugins.email_notifier]",
    ),
    "a mail server without STARTTLS": (
        mail_that({"EHLO": "250 test"}),
        "problem",
        "STARTTLS",
        "check [plugins.email_notifier]",
    ),
    "a webhook that nobody knows": (
        untrusted_webhook,
        "problem",
        "webhook_notifier: no trusted TLS with ",
        "check [plugins.webhook_notifier]",
    ),
    "a source's folder that is not there": (
        config('[plugins.folder]\npath = "drop"\n'),
        "problem",
        "folder: there is no folder {dir}/drop",
        "check [plugins.folder] in {dir}/config.toml",
    ),
    "a source's server that is not there": (
        away_redis,
        "problem",
        "redis_stream: the server cannot be reached: ",
        "check [plugins.redis_stream] in {dir}/config.toml",
    ),
    "a host that has no address": (
        unknown_host,
        "problem",
        "webhook_notifier: cannot connect to nowhere.invalid:443: ",
        "check [plugins.webhook_notifier]",
    ),
}
