"""Engines on one PostgreSQL database: one synchronous connection that writes, asynchronous ones that only read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from feedback_app.errors import BadConfig

OLDEST = 14  # PostgreSQL's major version; 13 ended in November 2025

# A server that vanished without a word (power, network) is noticed within half a minute, before leases run out.
_CONNECT: dict[str, Any] = {
    "application_name": "feedback-app",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


def url_of(text: str) -> URL:
    """Return the parsed URL. Raises BadConfig where it is none, or where the driver is not installed."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise BadConfig(
            "[store] url names a PostgreSQL server, and its driver is not installed: "
            "pip install 'feedback-app[postgres]'"
        ) from None
    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        raise BadConfig("[store] url: not a URL; write postgresql+psycopg://user@host/database") from None


def options_of(url: URL) -> dict[str, Any]:
    """Return our options for a connection; what the URL says itself stands."""
    return {name: value for name, value in _CONNECT.items() if name not in url.query}


def writing_engine(url: URL) -> Engine:
    """Return the engine of the one writer of this process."""
    return create_engine(
        url,
        connect_args=options_of(url),
        poolclass=NullPool,
        hide_parameters=True,  # errors are logged, and the parameters are names, addresses and comments
    )


def reading_engine(url: URL, connections: int = 3) -> AsyncEngine:
    """Return the engine for everything that only looks; a block sees one snapshot."""
    return create_async_engine(
        url,
        connect_args=options_of(url),
        isolation_level="REPEATABLE READ",
        execution_options={"postgresql_readonly": True},
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
    )
