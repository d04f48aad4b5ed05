"""The shipped sources keep their contract, as the kit sees it, against real servers and files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from feedback_app import Source
from feedback_app.plugins import cloud_queue, database_table, folder, nats_jetstream, redis_stream
from feedback_app.testing import SourceContract
from tests.postgres import Server
from tests.sources.conftest import need
from tests.sources.rig import Rig
from tests.sources.rigs import CloudRig, NatsRig, TableRig
from tests.testing.far_sides import Drop, Filled, GuardedRedisRig, PostgresRig

pytest_plugins = ["feedback_app.testing.fixtures"]


class TestFolder(SourceContract):
    """Files in a folder."""

    plugin: ClassVar = folder

    @pytest.fixture
    def far_side(self, tmp_path: Path) -> Drop:
        """Return the folder."""
        return Drop(tmp_path / "drop")

    def make(self, far_side: Any) -> Source:
        """Return the source as configured."""
        source: Source = folder.make_source(folder.Settings(path=far_side.path, settle=0.05))
        return source


class _OnARig(SourceContract):
    """A source on a far side of the tests of sources."""

    plugin: ClassVar[ModuleType]
    kind: ClassVar[type[Rig]]
    login: ClassVar[dict[str, str]] = {}  # settings with secrets in them; the far side lets anybody in

    @pytest.fixture
    def far_side(self, tmp_path: Path) -> Iterator[Filled]:
        """Start a server."""
        need(self.kind.plugin)
        rig = self.kind(tmp_path)
        yield Filled(rig)
        rig.close()

    def make(self, far_side: Any) -> Source:
        """Return the source as configured."""
        settings = self.plugin.Settings.model_validate({**far_side.rig.settings(), **self.login})
        source: Source = self.plugin.make_source(settings)
        return source


class TestNatsJetstream(_OnARig):
    """A stream of NATS."""

    plugin: ClassVar = nats_jetstream
    kind = NatsRig
    secrets = ("canary-password",)
    login: ClassVar = {"username": "shop", "password": secrets[0]}


class TestCloudQueue(_OnARig):
    """A queue of the SQS API."""

    plugin: ClassVar = cloud_queue
    kind = CloudRig
    secrets = ("canary-key",)
    login: ClassVar = {"access_key_id": "shop", "secret_access_key": secrets[0]}


class TestDatabaseTable(_OnARig):
    """A table of an SQLite file."""

    plugin: ClassVar = database_table
    kind = TableRig


class TestDatabaseTableOfPostgres(TestDatabaseTable):
    """A table of a PostgreSQL database, whose user has a password that is not asked for."""

    secrets = ("canary-password",)
    login: ClassVar = {"password": secrets[0]}

    @pytest.fixture
    def far_side(self, postgres_server: Server) -> Iterator[Filled]:
        """Make a table."""
        rig = PostgresRig(postgres_server)
        yield Filled(rig)
        rig.close()


class TestRedisStream(_OnARig):
    """A stream of Valkey."""

    plugin: ClassVar = redis_stream
    kind = GuardedRedisRig
    secrets = (GuardedRedisRig.password,)
