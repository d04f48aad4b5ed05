"""Runs the migrations on the connection that feedback_app.store.migrate hands over, in its transaction."""

from __future__ import annotations

from alembic import context

from feedback_app.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
